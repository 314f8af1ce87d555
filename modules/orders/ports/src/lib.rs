//! What orders can be asked, and what it tells: the port, its messages, errors and events.
#![warn(missing_docs)]

#[cfg(feature = "contract")]
mod contract;
mod error;
mod events;
mod messages;
mod order;

#[cfg(feature = "contract")]
pub use contract::{Shop, contract};
pub use error::{OrdersError, Shortage};
pub use events::{EVENTS, OrderCancelled, OrderExpired, OrderPlaced, SUBSCRIPTIONS};
pub use messages::*;
pub use order::*;

use kernel::{IntegrityCheck, Page};

bus::port! {
    /// Orders: placed by saga, cancelled, refunded, explained.
    "orders" pub trait OrdersPort {
        #[command]
        /// Places an order: reserves stock, authorizes and captures the payment, assigns the number.
        ///
        /// Answers with the order `placed`; or `processing` or `requires_action` where that takes longer. The
        /// same `order_id` again answers as the first time.
        async fn place(&self, request: PlaceOrder) -> Result<Order, OrdersError>;

        #[query]
        /// One order, if the viewer may see it.
        async fn get(&self, request: GetOrder) -> Result<Order, OrdersError>;

        #[query]
        /// Orders, newest first.
        async fn list(&self, request: ListOrders) -> Result<Page<Order>, OrdersError>;

        #[query]
        /// Everything that happened to an order, over all modules, oldest first.
        async fn timeline(&self, request: GetTimeline) -> Result<Vec<TimelineEntry>, OrdersError>;

        #[command]
        /// Cancels an order: money voided or refunded, stock back. Cancelling twice cancels once.
        async fn cancel(&self, request: CancelOrder) -> Result<Order, OrdersError>;

        #[command]
        /// Gives money back, all or in part. The same `refund_id` again answers as the first time.
        async fn refund(&self, request: RefundOrder) -> Result<OrderRefund, OrdersError>;

        #[query]
        /// What orders says of its own invariants.
        async fn check(&self, request: CheckOrders) -> Result<Vec<IntegrityCheck>, OrdersError>;

        #[query]
        /// What orders believes of money and stock, for the checks across modules; newest first.
        async fn settlements(&self, request: ListSettlements) -> Result<Vec<Settlement>, OrdersError>;
    }
}
