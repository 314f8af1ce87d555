//! Notifications' schema.

mod m0002_notification;

crate::migrator!("notifications_migrations", [m0002_notification]);
