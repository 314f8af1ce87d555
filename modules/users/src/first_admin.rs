//! The first admin: somebody must be there to let others in.

use crate::{
    accounts::{self, ADMINS},
    credentials::{Fields, normalise},
    passwords::Passwords,
    service::StartError,
    settings::AdminSettings,
};
use bus::{BusError, Role};
use bus_durable::Database;
use users_ports::{Secret, UsersError};

/// Who the first admin is, where none is named.
const NOBODY_NAMED: &str = "admin@cleave.local";

/// The admin that this start has made. To be shown to a person once, and never logged.
#[derive(Debug, Clone)]
pub struct FirstAdmin {
    /// The address to sign in with.
    pub email: String,
    /// The password, where it was made up here and so is known to nobody yet.
    pub password: Option<Secret>,
}

/// Makes the first admin on an empty database.
pub(crate) async fn ensure(
    database: &Database,
    passwords: &Passwords,
    settings: &AdminSettings,
) -> Result<Option<FirstAdmin>, StartError> {
    let sql = "SELECT 1 AS there FROM account LIMIT 1";
    if database.reader().row(sql, []).await?.is_some() {
        return Ok(None);
    }
    let email = normalise(settings.email.as_deref().unwrap_or(NOBODY_NAMED));
    let made_up = settings.password.is_none().then(make_up_password);
    let Some(password) = settings.password.as_ref().or(made_up.as_ref()) else { return Ok(None) };
    Fields::default().email(&email).password(password, &email).check().map_err(StartError::Admin)?;
    let (hash, turn) = passwords.turn().await?.hash(password).await?;
    drop(turn);
    let state = (email.clone(), hash);
    let made = database.write_locking(vec![ADMINS.into()], state, |(email, hash), tx| {
        Box::pin(async move {
            // Another process may have been faster.
            if tx.row("SELECT 1 AS there FROM account LIMIT 1", []).await?.is_some() {
                return Ok(false);
            }
            accounts::insert(tx.id(), email, "Admin", Role::Admin, hash, tx).await?;
            Ok(true)
        })
    });
    let made: Result<bool, UsersError> = made.await;
    match made {
        Ok(made) => Ok(made.then_some(FirstAdmin { email, password: made_up })),
        Err(UsersError::Unavailable(error)) => Err(error.into()),
        Err(error) => Err(BusError::failed(&error).into()),
    }
}

/// 120 random bits in letters and digits that are not mistaken for each other.
fn make_up_password() -> Secret {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz234567892";
    let random: [u8; 24] = rand::random();
    let letters = random.map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
    let groups: Vec<String> = letters.chunks(6).map(|group| group.iter().collect()).collect();
    Secret::new(groups.join("-"))
}
