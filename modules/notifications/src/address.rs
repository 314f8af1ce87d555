//! Asking users for a recipient's address, each time: one that is kept would outlive its change or erasure.

use bus::{ErrorKind, PortError as _};
use kernel::UserId;
use std::time::Duration;
use users_ports::{GetUser, UsersPort};

/// What users said.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Addressee {
    Known {
        email: String,
        name: String,
    },
    /// There is no such user any more.
    Gone,
    /// No answer, and why: to be asked again.
    Unknown(String),
}

/// Asks, no longer than `patience`.
pub(crate) async fn ask(users: &dyn UsersPort, user_id: UserId, patience: Duration) -> Addressee {
    let asked = bus::within(patience, users.get_user(GetUser { user_id }));
    // The bus keeps the time-out of its own calls; this bounds a port that is none.
    match tokio::time::timeout(patience, asked).await {
        Ok(Ok(user)) if user.email.is_empty() => Addressee::Gone,
        Ok(Ok(user)) => Addressee::Known { email: user.email, name: user.name },
        Ok(Err(error)) if error.kind() == ErrorKind::NotFound => Addressee::Gone,
        Ok(Err(error)) => Addressee::Unknown(error.to_string()),
        Err(_) => Addressee::Unknown("users did not answer in time".into()),
    }
}
