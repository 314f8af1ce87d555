//! Who calls: requests and events between processes are signed by the service that sends them and checked by the one
//! that serves, whatever adapter carries them.
//!
//! [`Sealed`] stands before an adapter's calling half and adds one header, `seal`: a signature over the request's name,
//! its bytes, all other headers, the two parties, a life of at most a minute and an id that is taken once. So the user on
//! whose behalf a call is made travels as a claim that the service has signed. [`Guard`] stands behind the adapter's
//! serving half and lets through what is sealed by a peer that may call the module, or speak for the source of an
//! event. Both are [`bus::Transport`]s around another one, and no adapter knows of them.
//!
//! # Keys
//!
//! Each service has a name and an Ed25519 key pair ([`Identity`]); the others know its public key ([`Roster`]).
//!
//! 1. Make a key: [`Identity::generate`] and [`Identity::save`], or `openssl genpkey -algorithm ed25519 -out orders.key`
//!    with a umask of 077. A file that others may read is refused. In Kubernetes mount the secret with
//!    `defaultMode: 0400` (or `0440` with an `fsGroup`).
//! 2. Give its public key ([`Identity::public_key`], 43 characters, no secret) to the services that it calls.
//! 3. To rotate: add the new public key beside the old one at all peers ([`Peers::replace`], no restart); restart the
//!    service with the new private key; when all its instances have it, take the old public key away. A key that is
//!    known to somebody else is taken away at once: from the next call on it opens nothing.
//!
//! # What an attacker on the network can do, and cannot
//!
//! Whoever can read and write what goes over the network, but has no service's private key, **cannot** make a call or an
//! event of his own, change one on its way (not a byte, not a header, not the user it is for), send one to another
//! module than it was for, use one again, or hold one back and send it after its life. With
//! [`Sealed::with_answers_from`] he cannot answer in a service's place either; without it he can, so leave it out only
//! where the network itself is trusted.
//!
//! A service that has been taken over can do what its name may do, and nothing in another's name: it calls the modules
//! that list it and tells the events of the modules that it runs. It can claim any user for its own calls.
//!
//! He **can** read everything: a seal hides nothing. Where the network is not private, run it over TLS (a service mesh)
//! or a VPN. He can also drop, delay and reorder, and make calls fail by it; he can make up the error of a call,
//! which says no more than that there is no answer. And he can use a sealed call once at *each* instance of a service
//! within its life, since instances do not tell each other what they have seen: which repeats a read, and carries out no
//! command twice, since every command and every event has an id by which the module knows it.
//!
//! Clocks must agree within the [tolerance](Guard::with_tolerance), five seconds unless it is set.
#![warn(missing_docs)]

mod answer;
mod events;
mod guard;
mod identity;
mod key;
mod peers;
mod refusal;
mod replay;
mod roster;
mod seal;
mod sealed;
mod transcript;

pub use guard::Guard;
pub use identity::{Identity, IdentityError};
pub use key::{InvalidKey, PublicKey};
pub use peers::Peers;
pub use roster::{InvalidRoster, Peer, Roster};
pub use seal::{HEADER, LONGEST_LIFE};
pub use sealed::Sealed;
