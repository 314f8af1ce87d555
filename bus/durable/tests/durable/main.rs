//! The durable layer under everything that goes wrong: each body runs on SQLite and on PostgreSQL.

#[cfg(test)]
mod alone;
#[cfg(test)]
mod duty;
#[cfg(test)]
mod group;
#[cfg(test)]
mod inbox;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod opening;
#[cfg(test)]
mod optimism;
#[cfg(test)]
mod outbox;
#[cfg(test)]
mod pile;
#[cfg(test)]
mod power_cut;
#[cfg(test)]
mod saga_crashes;
#[cfg(test)]
mod saga_faults;
#[cfg(test)]
mod saga_owners;
#[cfg(test)]
mod script;
#[cfg(test)]
mod simulator;
#[cfg(test)]
mod trouble;
#[cfg(test)]
mod world;

/// Runs each body on both databases.
macro_rules! on_both {
    ($($(#[doc = $doc:literal])* $name:ident;)+) => {
        mod sqlite {
            $(
                $(#[doc = $doc])*
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::world::Home::sqlite()).await;
                }
            )+
        }

        mod postgres {
            $(
                $(#[doc = $doc])*
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                #[ignore = "needs PostgreSQL"]
                async fn $name() {
                    super::$name($crate::world::Home::postgres().await).await;
                }
            )+
        }
    };
}
pub(crate) use on_both;
