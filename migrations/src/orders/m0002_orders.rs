//! Orders, their refunds, what happened to them, and the counter of their numbers.

use crate::durable::run;
use sea_orm_migration::prelude::*;

/// See the file's first line.
#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(
            manager,
            &[
                "CREATE TABLE orders (
                    id {UUID} NOT NULL PRIMARY KEY, number BIGINT UNIQUE, user_id {UUID} NOT NULL,
                    status TEXT NOT NULL, reason TEXT, payment_id {UUID} NOT NULL, payment_status TEXT NOT NULL,
                    lines TEXT NOT NULL, total BIGINT NOT NULL CHECK (total >= 0), currency TEXT NOT NULL,
                    refunded BIGINT NOT NULL DEFAULT 0 CHECK (refunded >= 0), shipping_address TEXT, note TEXT,
                    action_url TEXT, cancellation_id {UUID}, cancelled_by {UUID}, placed_at BIGINT,
                    created_at BIGINT NOT NULL, version BIGINT NOT NULL, CHECK (refunded <= total),
                    CHECK ((number IS NULL) = (placed_at IS NULL)))",
                "CREATE INDEX orders_user ON orders (user_id, id)",
                "CREATE INDEX orders_status ON orders (status, id)",
                "CREATE INDEX orders_user_status ON orders (user_id, status, id)",
                "CREATE TABLE order_refund (
                    id {UUID} NOT NULL PRIMARY KEY, order_id {UUID} NOT NULL REFERENCES orders (id),
                    command_id TEXT UNIQUE, amount BIGINT NOT NULL CHECK (amount > 0), currency TEXT NOT NULL,
                    reason TEXT NOT NULL, status TEXT NOT NULL, actor {UUID} NOT NULL, at BIGINT NOT NULL)",
                "CREATE INDEX order_refund_order ON order_refund (order_id, id)",
                "CREATE TABLE order_event (
                    id {UUID} NOT NULL PRIMARY KEY, order_id {UUID} NOT NULL, kind TEXT NOT NULL,
                    detail TEXT NOT NULL, actor TEXT NOT NULL, at BIGINT NOT NULL)",
                "CREATE INDEX order_event_order ON order_event (order_id, id)",
                "CREATE TABLE counter (name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL)",
                "INSERT INTO counter (name, value) VALUES ('order_number', 0)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["counter", "order_event", "order_refund", "orders"] {
            manager.drop_table(Table::drop().table(Alias::new(table)).to_owned()).await?;
        }
        Ok(())
    }
}
