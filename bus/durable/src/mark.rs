//! A mark that one process leaves in a database and another finds there: proof that both reach the same rows.

use crate::Database;
use bus::BusError;
use std::time::Duration;
use uuid::Uuid;

/// How long a mark is worth anything.
const FRESH: Duration = Duration::from_secs(60);

impl Database {
    /// Leaves a new mark in place of the one before.
    ///
    /// # Errors
    /// What the database said.
    pub async fn leave_mark(&self) -> Result<Uuid, BusError> {
        let mark: Uuid = self.sources().id();
        self.write(mark, |&mark, tx| {
            Box::pin(async move {
                let sql = "INSERT INTO lease (name, owner, until) VALUES ('mark', $1, $2) \
                           ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until";
                let until = tx.now().after(FRESH).micros();
                tx.execute(sql, [mark.into(), until.into()]).await.map(|_| ())
            })
        })
        .await?;
        Ok(mark)
    }

    /// Whether this mark has been left here. A database whose schema has never been made has none.
    pub async fn has_mark(&self, mark: Uuid) -> bool {
        let sql = "SELECT owner FROM lease WHERE name = 'mark' AND until > $1";
        let now = self.sources().now().micros();
        let found = self.reader().row(sql, [now.into()]).await;
        matches!(found, Ok(Some(row)) if row.get::<Uuid>("owner").is_ok_and(|owner| owner == mark))
    }
}
