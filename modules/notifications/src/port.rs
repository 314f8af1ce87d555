//! The port's requests.

use crate::{
    integrity,
    journal::Entry,
    service::Service,
    store::{COLUMNS, notification},
};
use async_trait::async_trait;
use bus::BusError;
use bus_durable::{Row, sea_orm::Value};
use kernel::{IntegrityCheck, Page};
use notifications_ports::{
    Channel, CheckNotifications, ListNotifications, Notification, NotificationStatus, NotificationsError,
    NotificationsOf, NotificationsPort, ResendNotification,
};
use uuid::Uuid;

#[async_trait]
impl NotificationsPort for Service {
    async fn list(&self, request: ListNotifications) -> Result<Page<Notification>, NotificationsError> {
        let ListNotifications { order_id, page } = request;
        // Ids of one process ascend, so the newest has the greatest; a page goes on below where it stopped.
        let below: Uuid = match &page.cursor {
            Some(cursor) => cursor.key().map_err(|_| NotificationsError::InvalidCursor)?,
            None => Uuid::max(),
        };
        let limit = i64::try_from(page.limit.probe()).unwrap_or(i64::MAX);
        let (of, mut values) = match order_id {
            Some(order) => ("AND order_id = $3", vec![Value::from(order.0)]),
            None => ("", Vec::new()),
        };
        let sql = format!("SELECT {COLUMNS} FROM notification WHERE id < $1 {of} ORDER BY id DESC LIMIT $2");
        values.splice(0..0, [below.into(), limit.into()]);
        let rows = self.database().reader().rows(&sql, values).await?;
        Ok(Page::cut(read(&rows)?, page.limit, |one| one.id))
    }

    async fn of_order(&self, request: NotificationsOf) -> Result<Vec<Notification>, NotificationsError> {
        let sql = format!("SELECT {COLUMNS} FROM notification WHERE order_id = $1 ORDER BY id");
        let rows = self.database().reader().rows(&sql, [request.order_id.0.into()]).await?;
        Ok(read(&rows)?)
    }

    async fn resend(&self, request: ResendNotification) -> Result<Notification, NotificationsError> {
        let channel = self.post().channel();
        let locks = vec![format!("notification:{}", request.notification_id)];
        let again = self
            .database()
            .command(locks, request, move |request, tx| {
                Box::pin(async move {
                    let id = request.notification_id.0;
                    let sql = format!("SELECT {COLUMNS} FROM notification WHERE id = $1");
                    let row = tx.row(&sql, [id.into()]).await?.ok_or(NotificationsError::NotFound)?;
                    let known = notification(&row)?;
                    match known.status {
                        NotificationStatus::Skipped => return Err(NotificationsError::NobodyToTell),
                        NotificationStatus::Pending => return Ok(known),
                        NotificationStatus::Sent | NotificationStatus::Failed => {}
                    }
                    // With the log the row is the delivery: it is made here and now, if there is a text.
                    let set = match (channel, &known.recipient) {
                        (Channel::Log, Some(_)) => {
                            "status = 'sent', spent = attempts, attempts = attempts + 1, settled_at = $2"
                        }
                        _ => "status = 'pending', spent = attempts, settled_at = NULL, due_at = $2",
                    };
                    let sql = format!(
                        "UPDATE notification SET {set}, queued_at = $2, channel = $3, error = NULL \
                         WHERE id = $1 RETURNING {COLUMNS}"
                    );
                    let values = [id.into(), tx.now().micros().into(), channel.as_str().into()];
                    let rows = tx.returning(&sql, values).await?;
                    let row = rows.first().ok_or(NotificationsError::NotFound)?;
                    Ok(notification(row)?)
                })
            })
            .await?;
        match again.status {
            NotificationStatus::Sent => self.journal().note(Entry::about(&again)),
            _ => self.bell().notify_one(),
        }
        Ok(again)
    }

    async fn check(&self, _: CheckNotifications) -> Result<Vec<IntegrityCheck>, NotificationsError> {
        Ok(integrity::checks(self.database(), self.settings().waiting_at_most).await?)
    }
}

fn read(rows: &[Row]) -> Result<Vec<Notification>, BusError> {
    rows.iter().map(notification).collect()
}
