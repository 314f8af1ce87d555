//! Fewer indexes for what every payment and every webhook is written into.

use crate::durable::{is_postgres, run};
use sea_orm_migration::prelude::*;

/// See the file's first line.
#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// An order's attempts, of which one at most is live: all of those under the one value that no other has.
const ORDER: &str =
    "CREATE UNIQUE INDEX payment_order ON payment (order_id, (CASE WHEN live = 1 THEN {NIL} ELSE id END))";

/// The history is read by its order, never by the id of an entry alone.
const EVENT_BY_ORDER: [&str; 4] = [
    "CREATE UNIQUE INDEX payment_event_ordered ON payment_event (order_id, at, id)",
    "DROP INDEX payment_event_order",
    "ALTER TABLE payment_event DROP CONSTRAINT payment_event_pkey",
    "ALTER TABLE payment_event ADD CONSTRAINT payment_event_pkey PRIMARY KEY USING INDEX payment_event_ordered",
];

const EVENT_BY_ID: [&str; 3] = [
    "ALTER TABLE payment_event DROP CONSTRAINT payment_event_pkey",
    "ALTER TABLE payment_event ADD CONSTRAINT payment_event_pkey PRIMARY KEY (id)",
    "CREATE INDEX payment_event_order ON payment_event (order_id, at, id)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let nil = match is_postgres(manager) {
            true => "'00000000-0000-0000-0000-000000000000'::uuid",
            false => "x'00000000000000000000000000000000'",
        };
        let order = ORDER.replace("{NIL}", nil);
        let dropped =
            ["DROP INDEX payment_order", "DROP INDEX payment_live", "DROP INDEX webhook_event_received"];
        run(manager, &dropped).await?;
        run(manager, &[&order]).await?;
        // On SQLite a primary key changes only with its table.
        if is_postgres(manager) { run(manager, &EVENT_BY_ORDER).await } else { Ok(()) }
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let indexes = [
            "DROP INDEX payment_order",
            "CREATE INDEX payment_order ON payment (order_id, id)",
            "CREATE UNIQUE INDEX payment_live ON payment (order_id) WHERE live = 1",
            "CREATE INDEX webhook_event_received ON webhook_event (received_at)",
        ];
        run(manager, &indexes).await?;
        if is_postgres(manager) { run(manager, &EVENT_BY_ID).await } else { Ok(()) }
    }
}
