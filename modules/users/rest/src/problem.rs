//! The one place that turns the port's errors into problems.

use edge::{FieldError, Problem};
use users_ports::{InvalidField, UsersError};

pub(crate) fn problem(error: UsersError) -> Problem {
    match &error {
        UsersError::Invalid { fields } => {
            Problem::invalid_fields(fields.iter().copied().map(field).collect())
        }
        UsersError::EmailTaken => Problem::of(&error, "email_taken"),
        UsersError::InvalidCredentials => Problem::of(&error, "invalid_credentials"),
        UsersError::RateLimited { retry_after } => {
            Problem::of(&error, "rate_limited").retry_after(*retry_after)
        }
        UsersError::VersionMismatch { current } => {
            Problem::of(&error, "version_mismatch").with("current", current)
        }
        UsersError::LastAdmin => Problem::of(&error, "last_admin"),
        UsersError::NotFound => Problem::not_found(),
        UsersError::WrongPassword | UsersError::Unavailable(_) => Problem::from_error(&error),
    }
}

fn field(field: InvalidField) -> FieldError {
    let (pointer, code, detail) = match field {
        InvalidField::Email => ("/email", "invalid_value", "this is no e-mail address"),
        InvalidField::Name => {
            ("/name", "invalid_value", "a name has 1 to 200 characters, none of them control")
        }
        InvalidField::PasswordLength => ("/password", "invalid_value", "a password has 12 to 128 characters"),
        InvalidField::PasswordTooCommon => {
            ("/password", "password_too_common", "this password is one of the first that are tried")
        }
        InvalidField::Cursor => {
            ("/cursor", "invalid_cursor", "the cursor is not one that this list handed out")
        }
    };
    FieldError::new(pointer, code, detail)
}
