//! Payments' behaviour against the sandbox and against a provider that fails as told, on SQLite and on PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test that finds nothing where something must be has failed")]

#[path = "payments/books.rs"]
mod books;
#[path = "payments/contract.rs"]
mod contract;
#[path = "payments/lost.rs"]
mod lost;
#[path = "payments/provider.rs"]
mod provider;
#[path = "payments/races.rs"]
mod races;
#[path = "payments/refunding.rs"]
mod refunding;
#[path = "../../../app/src/sandbox_provider.rs"]
#[expect(unreachable_pub, reason = "a file of the program, which exports it")]
mod sandbox_provider;
#[path = "payments/undoing.rs"]
mod undoing;
#[path = "payments/webhooks.rs"]
mod webhooks;
#[path = "payments/world.rs"]
mod world;

/// Declares each body as a test on SQLite, and as one on PostgreSQL.
#[macro_export]
macro_rules! on_both {
    ($($(#[$doc:meta])* $body:ident,)+) => {
        mod sqlite {
            $(
                $(#[$doc])*
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $body() {
                    super::$body($crate::world::World::sqlite().await).await;
                }
            )+
        }
        mod postgres {
            $(
                $(#[$doc])*
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                #[ignore = "needs PostgreSQL"]
                async fn $body() {
                    super::$body($crate::world::World::postgres().await).await;
                }
            )+
        }
    };
}
