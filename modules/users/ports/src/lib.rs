//! What the users module can be asked, what it answers and what it tells: registration, sessions, roles, keys.
#![warn(missing_docs)]

#[cfg(feature = "contract")]
mod contract;
mod error;
mod event;
mod messages;
mod port;
mod replies;
mod secret;

#[cfg(feature = "contract")]
pub use contract::{ContractAdmin, contract};
pub use error::{InvalidField, UsersError};
pub use event::{EVENTS, SUBSCRIPTIONS, UserRegistered};
pub use messages::{
    ChangeRole, CheckSession, CreateSession, EndSession, EndSessions, EraseUser, GetUser, ListSessions,
    ListUsers, RefreshSession, RegisterUser, SigningKeys, UpdateProfile,
};
pub use port::UsersPort;
pub use replies::{Jwk, Jwks, Session, SessionState, SignedIn, User};
pub use secret::{Secret, new_refresh_token};
