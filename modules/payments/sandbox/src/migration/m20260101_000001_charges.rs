//! Charges, idempotency keys, the ledger and the webhooks that wait.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("charges")
                    .col(uuid("id").primary_key())
                    .col(big_integer("version"))
                    .col(text("idempotency_key"))
                    .col(text("reference"))
                    .col(text("token"))
                    .col(text("currency"))
                    .col(text("status"))
                    .col(big_integer("requested"))
                    .col(big_integer("authorized"))
                    .col(big_integer("captured"))
                    .col(big_integer("refunded"))
                    .col(big_integer("refund_failures"))
                    .col(big_integer("created_at"))
                    // The caps, whatever the code above them does.
                    .check(Expr::cust("authorized >= 0 AND (authorized = 0 OR authorized <= requested)"))
                    .check(Expr::cust("captured >= 0 AND captured <= authorized"))
                    .check(Expr::cust("refunded >= 0 AND refunded <= captured"))
                    .check(Expr::cust("captured = 0 OR status = 'captured'"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("operations")
                    .col(text("key").primary_key())
                    .col(uuid("charge"))
                    .col(text("fingerprint"))
                    .col(text("outcome"))
                    .col(text("code"))
                    .foreign_key(ForeignKey::create().from("operations", "charge").to("charges", "id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("transactions")
                    .col(text("reference"))
                    .col(big_integer("at"))
                    .col(uuid("id"))
                    .col(uuid("charge"))
                    .col(text("kind"))
                    .col(text("status"))
                    .col(text("code"))
                    .col(big_integer("amount"))
                    .col(text("currency"))
                    .col(text("idempotency_key"))
                    .primary_key(Index::create().col("reference").col("at").col("id"))
                    .foreign_key(ForeignKey::create().from("transactions", "charge").to("charges", "id"))
                    .to_owned(),
            )
            .await?;
        // At most one capture per charge, whatever the code above it does.
        manager
            .create_index(
                Index::create()
                    .name("transactions_one_capture")
                    .table("transactions")
                    .col("charge")
                    .unique()
                    .cond_where(Expr::cust("kind = 'capture' AND status = 'succeeded'"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("webhooks")
                    .col(uuid("id").primary_key())
                    .col(text("body"))
                    .col(big_integer("due_at"))
                    .col(big_integer("attempts"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(Index::create().name("webhooks_due").table("webhooks").col("due_at").to_owned())
            .await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
