//! Notifications as the shop sees them: on SQLite and on PostgreSQL, with a mail server that misbehaves.

#[cfg(test)]
mod contract;
#[cfg(test)]
mod delivery;
#[cfg(test)]
mod occurrences;
#[cfg(test)]
mod secrecy;
#[cfg(test)]
mod smtp;
#[cfg(test)]
mod world;

/// Runs each test on both databases.
macro_rules! on_both {
    ($($(#[doc = $doc:literal])* $name:ident;)+) => {
        mod sqlite {
            $(
                $(#[doc = $doc])*
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(crate::world::Backend::Sqlite).await;
                }
            )+
        }

        mod postgres {
            $(
                $(#[doc = $doc])*
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                #[ignore = "needs PostgreSQL"]
                async fn $name() {
                    super::$name(crate::world::Backend::Postgres).await;
                }
            )+
        }
    };
}
pub(crate) use on_both;
