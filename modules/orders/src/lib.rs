//! Orders: placement by saga, cancellation, refunds, the timeline.

mod cancellation;
mod entities;
mod integrity;
mod placement;
mod refunds;
mod service;
mod settings;
mod store;
mod subscriptions;
mod timeline;

pub use service::Service;
pub use settings::Settings;

/// The module's name.
pub const NAME: &str = "orders";
