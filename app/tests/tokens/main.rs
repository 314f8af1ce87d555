//! Access tokens: what is refused, what is not, and for how long (section 5.3).

mod authenticator;
mod forge;
mod refusals;
mod sources;
mod users;
