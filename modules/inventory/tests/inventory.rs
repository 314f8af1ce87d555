//! Inventory's behaviour, on SQLite and on PostgreSQL: one body for both.

#[path = "inventory/catalogue.rs"]
mod catalogue;
#[path = "inventory/contract.rs"]
mod contract;
#[path = "inventory/expiry.rs"]
mod expiry;
#[path = "inventory/integrity.rs"]
mod integrity;
#[path = "inventory/paging.rs"]
mod paging;
#[path = "inventory/races.rs"]
mod races;
#[path = "inventory/shipping.rs"]
mod shipping;
#[path = "inventory/world.rs"]
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
