//! The words that rows, JSON and people share.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A text that is not one of the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a word that notifications know")]
pub struct UnknownWord;

macro_rules! words {
    ($($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text).ok_or(UnknownWord)
            }
        }
    )+};
}

words! {
    /// What a notification says.
    Template {
        /// The order is placed.
        OrderConfirmation = "order_confirmation",
        /// The order was cancelled.
        OrderCancelled = "order_cancelled",
        /// The order was not paid in time.
        OrderExpired = "order_expired",
        /// Money is on its way back.
        RefundIssued = "refund_issued",
        /// Hello.
        Welcome = "welcome",
    }

    /// How a notification is sent.
    Channel {
        /// Not at all: its text is kept for whoever looks, and the log says that there is one.
        Log = "log",
        /// By e-mail.
        Smtp = "smtp",
    }

    /// What became of a notification.
    NotificationStatus {
        /// To be sent, or to be tried again.
        Pending = "pending",
        /// Handed over to the channel.
        Sent = "sent",
        /// Given up.
        Failed = "failed",
        /// Its user was gone: nobody to tell.
        Skipped = "skipped",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_same_in_a_row_and_in_json() {
        for template in Template::ALL {
            assert_eq!(template.as_str().parse(), Ok(*template));
            assert_eq!(
                serde_json::to_string(template).expect("serialises"),
                format!("\"{}\"", template.as_str())
            );
        }
        for status in NotificationStatus::ALL {
            assert_eq!(
                serde_json::to_string(status).expect("serialises"),
                format!("\"{}\"", status.as_str())
            );
        }
        assert_eq!("fax".parse::<Channel>(), Err(UnknownWord));
    }
}
