//! Payments, refunds, what happened to them, and the webhooks that came in.

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
                // `step` is what is being asked of the provider; while it is not empty, somebody looks at
                // `due_at`. `refund_held` counts refunds whose answer is not known as well.
                "CREATE TABLE payment (
                    id {UUID} NOT NULL PRIMARY KEY, order_id {UUID} NOT NULL, user_id {UUID} NOT NULL,
                    amount BIGINT NOT NULL CHECK (amount >= 0), currency TEXT NOT NULL, token TEXT NOT NULL,
                    status TEXT NOT NULL, step TEXT NOT NULL, undo BIGINT NOT NULL, live BIGINT NOT NULL,
                    charge TEXT, captured BIGINT NOT NULL CHECK (captured >= 0 AND captured <= amount),
                    refund_held BIGINT NOT NULL, refunded BIGINT NOT NULL CHECK (refunded >= 0),
                    decline_code TEXT, action_url TEXT, attention TEXT, due_at BIGINT NOT NULL,
                    waiting_until BIGINT NOT NULL, sent_at BIGINT NOT NULL, attempts BIGINT NOT NULL,
                    version BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
                    CHECK (refund_held <= captured), CHECK (refunded <= refund_held),
                    CHECK (status <> 'processing' OR step <> ''))",
                "CREATE INDEX payment_order ON payment (order_id, id)",
                // One attempt in flight for an order.
                "CREATE UNIQUE INDEX payment_live ON payment (order_id) WHERE live = 1",
                "CREATE INDEX payment_due ON payment (due_at) WHERE step <> ''",
                "CREATE INDEX payment_refunds ON payment (id) WHERE refund_held > 0",
                "CREATE INDEX payment_attention ON payment (id) WHERE attention IS NOT NULL",
                "CREATE TABLE refund (
                    id {UUID} NOT NULL PRIMARY KEY, payment_id {UUID} NOT NULL REFERENCES payment (id),
                    order_id {UUID} NOT NULL, amount BIGINT NOT NULL CHECK (amount > 0), currency TEXT NOT NULL,
                    reason TEXT NOT NULL, status TEXT NOT NULL, code TEXT, due_at BIGINT NOT NULL,
                    attempts BIGINT NOT NULL, created_at BIGINT NOT NULL, settled_at BIGINT)",
                "CREATE INDEX refund_payment ON refund (payment_id, id)",
                "CREATE INDEX refund_due ON refund (due_at) WHERE status = 'processing'",
                "CREATE TABLE payment_event (
                    id {UUID} NOT NULL PRIMARY KEY, payment_id {UUID} NOT NULL, order_id {UUID} NOT NULL,
                    kind TEXT NOT NULL, detail TEXT NOT NULL, amount BIGINT NOT NULL, currency TEXT NOT NULL,
                    at BIGINT NOT NULL, actor TEXT NOT NULL)",
                "CREATE INDEX payment_event_order ON payment_event (order_id, at, id)",
                "CREATE TABLE webhook_event (
                    position {SERIAL}, provider TEXT NOT NULL, event_id TEXT NOT NULL, reference TEXT NOT NULL,
                    body TEXT NOT NULL, state TEXT NOT NULL, attempts BIGINT NOT NULL, due_at BIGINT NOT NULL,
                    error TEXT, received_at BIGINT NOT NULL, UNIQUE (provider, event_id))",
                "CREATE INDEX webhook_event_pending ON webhook_event (position) WHERE state = 'pending'",
                "CREATE INDEX webhook_event_bad ON webhook_event (position) WHERE state IN ('dead', 'mismatch')",
                "CREATE INDEX webhook_event_received ON webhook_event (received_at)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["webhook_event", "payment_event", "refund", "payment"] {
            manager.drop_table(Table::drop().table(Alias::new(table)).to_owned()).await?;
        }
        Ok(())
    }
}
