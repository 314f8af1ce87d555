//! What the shop told its customers: the port of notifications, and what notifications subscribe to.
//!
//! Nothing is sent by asking for it: notifications follow from other modules' events, one for each occurrence.
#![warn(missing_docs)]

#[cfg(feature = "contract")]
pub mod contract;
mod words;

use bus::{BusError, ErrorKind, OnDeadLetter, PortError, Subscription, Timestamp};
use kernel::{IntegrityCheck, NotificationId, OrderId, Page, PageRequest, UserId};
use serde::{Deserialize, Serialize};
use std::fmt;
pub use words::{Channel, NotificationStatus, Template, UnknownWord};

bus::port! {
    /// What was sent to whom, and sending it again.
    "notifications" pub trait NotificationsPort {
        #[query]
        /// Notifications, the newest first; all of them or an order's.
        async fn list(&self, request: ListNotifications) -> Result<Page<Notification>, NotificationsError>;

        #[query]
        /// All notifications of an order, the oldest first, for its timeline.
        async fn of_order(&self, request: NotificationsOf) -> Result<Vec<Notification>, NotificationsError>;

        #[command]
        /// Sends a notification again: the same row, the same Message-ID, one attempt more. One that waits to be
        /// sent anyway is left as it is, so asking twice before it has left sends it once.
        async fn resend(&self, request: ResendNotification) -> Result<Notification, NotificationsError>;

        #[query]
        /// What notifications promise, and how often it is broken.
        async fn check(&self, request: CheckNotifications) -> Result<Vec<IntegrityCheck>, NotificationsError>;
    }
}

/// Asks for a page of notifications.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ListNotifications {
    /// Those of this order only.
    pub order_id: Option<OrderId>,
    /// Which page.
    pub page: PageRequest,
}

/// Asks for all notifications of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NotificationsOf {
    /// The order.
    pub order_id: OrderId,
}

/// Asks that a notification is sent once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ResendNotification {
    /// The notification.
    pub notification_id: NotificationId,
}

/// Asks for the state of the module's invariants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckNotifications {}

/// One occurrence of a message to a person. However often its event is repeated, there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Notification {
    /// Its id.
    pub id: NotificationId,
    /// What it says.
    pub template: Template,
    /// To whom; not known while users cannot be asked, and never for a user who is gone.
    pub recipient: Option<Recipient>,
    /// How it is sent.
    pub channel: Channel,
    /// What became of it.
    pub status: NotificationStatus,
    /// How often it was tried to send it.
    pub attempts: u32,
    /// The user whom it is for.
    pub user_id: UserId,
    /// The order that it is about, if it is about one.
    pub order_id: Option<OrderId>,
    /// Its Message-ID (RFC 5322), the same however often it is sent.
    pub message_id: String,
    /// When it came to be.
    pub at: Timestamp,
}

/// An e-mail address. `Debug` hides it, so that it does not get into logs.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Recipient(pub String);

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recipient(…)")
    }
}

/// Why notifications refuse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "error", content = "detail", rename_all = "snake_case")]
pub enum NotificationsError {
    /// There is no such notification.
    #[error("there is no such notification")]
    NotFound,
    /// It was skipped, since its user is gone: there is nobody to send it to.
    #[error("a notification whose user is gone cannot be sent")]
    NobodyToTell,
    /// The cursor is of another list.
    #[error("the cursor is not one that this list handed out")]
    InvalidCursor,
    /// There is no answer.
    #[error(transparent)]
    Unavailable(#[from] BusError),
}

impl PortError for NotificationsError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound => ErrorKind::NotFound,
            Self::NobodyToTell => ErrorKind::Conflict,
            Self::InvalidCursor => ErrorKind::Invalid,
            Self::Unavailable(error) => error.kind(),
        }
    }

    fn bus(&self) -> Option<&BusError> {
        match self {
            Self::Unavailable(error) => Some(error),
            _ => None,
        }
    }
}

/// Notifications publish nothing.
pub const EVENTS: &[&str] = &[];

/// A message that cannot be told holds nobody back: a dead letter lets its key go on.
const fn to(id: &'static str, event: &'static str) -> Subscription {
    Subscription { id, module: "notifications", event, on_dead_letter: OnDeadLetter::Skip }
}

/// Confirms an order.
pub const ORDER_PLACED: Subscription = to("notifications.order_placed", "orders.order_placed.v1");
/// Tells that an order was cancelled.
pub const ORDER_CANCELLED: Subscription = to("notifications.order_cancelled", "orders.order_cancelled.v1");
/// Tells that an order was not paid in time.
pub const ORDER_EXPIRED: Subscription = to("notifications.order_expired", "orders.order_expired.v1");
/// Tells that money is on its way back.
pub const PAYMENT_REFUNDED: Subscription =
    to("notifications.payment_refunded", "payments.payment_refunded.v1");
/// Greets a new user.
pub const USER_REGISTERED: Subscription = to("notifications.user_registered", "users.user_registered.v1");

/// What notifications subscribe to.
pub const SUBSCRIPTIONS: &[Subscription] =
    &[ORDER_PLACED, ORDER_CANCELLED, ORDER_EXPIRED, PAYMENT_REFUNDED, USER_REGISTERED];
