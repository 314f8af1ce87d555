//! The channel in force: what carries a letter away.

use crate::{
    settings::{NO_DOMAIN, Settings},
    smtp::Mailer,
    store::Claimed,
    templates::Rendered,
};
use lettre::message::Mailbox;
use notifications_ports::{Channel, Recipient};
use std::time::Duration;

/// Why nothing can be sent with these settings.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The sender's address is none.
    #[error("notifications.from is not an address like: Shop <shop@example.com>")]
    From,
    /// Mail from nowhere.
    #[error("notifications.from must be set where notifications.smtp is")]
    NoFrom,
    /// A password would cross the network for all to read.
    #[error("notifications.smtp.tls = \"none\" with a password is for a mail server on this machine only")]
    PlaintextPassword,
    /// One is useless without the other.
    #[error("notifications.smtp needs both a username and a password, or neither")]
    Credentials,
    /// TLS cannot be set up.
    #[error("TLS to notifications.smtp.host cannot be set up")]
    Tls(#[source] lettre::transport::smtp::Error),
}

/// A letter and where it goes.
pub(crate) struct Letter<'a> {
    pub(crate) about: &'a Claimed,
    pub(crate) recipient: &'a Recipient,
    pub(crate) rendered: &'a Rendered,
}

/// Why a letter did not go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Undelivered {
    /// Trying again cannot help.
    pub(crate) forever: bool,
    /// For the log: no word of what the server said, since servers repeat addresses.
    pub(crate) reason: String,
    /// For the row, which holds the address anyway.
    pub(crate) detail: String,
}

/// What carries letters away.
pub(crate) enum Post {
    /// Nobody: the row is the delivery.
    Log,
    /// A mail server.
    Smtp(Box<Mailer>),
}

impl Post {
    /// The channel that the settings ask for, and the domain of its Message-IDs.
    pub(crate) fn new(settings: &Settings) -> Result<(Self, String), PostError> {
        let from: Mailbox = settings.from.parse().map_err(|_| PostError::From)?;
        let domain = from.email.domain().to_owned();
        let post = match &settings.smtp {
            None => Self::Log,
            Some(_) if domain == NO_DOMAIN => return Err(PostError::NoFrom),
            Some(smtp) => Self::Smtp(Box::new(Mailer::new(from, smtp)?)),
        };
        Ok((post, domain))
    }

    pub(crate) fn channel(&self) -> Channel {
        match self {
            Self::Log => Channel::Log,
            Self::Smtp(_) => Channel::Smtp,
        }
    }

    /// How many letters go at once.
    pub(crate) fn concurrency(&self) -> usize {
        match self {
            Self::Log => 16,
            Self::Smtp(mailer) => mailer.connections(),
        }
    }

    /// The longest time that one letter can take. A delivery is never cut short: a connection that was left in the
    /// middle of a conversation would take the next letter for its continuation.
    pub(crate) fn patience(&self) -> Duration {
        match self {
            Self::Log => Duration::ZERO,
            Self::Smtp(mailer) => mailer.patience(),
        }
    }

    pub(crate) async fn send(&self, letter: Letter<'_>) -> Result<(), Undelivered> {
        match self {
            Self::Log => Ok(()),
            Self::Smtp(mailer) => mailer.send(letter).await,
        }
    }
}
