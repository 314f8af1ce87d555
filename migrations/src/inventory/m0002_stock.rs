//! Products, their variants with the stock, reservations and the stock ledger.

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
                "CREATE TABLE product (
                    id {UUID} NOT NULL PRIMARY KEY, title TEXT NOT NULL, title_key {KEY} NOT NULL,
                    description TEXT NOT NULL, status TEXT NOT NULL, created_at BIGINT NOT NULL,
                    version BIGINT NOT NULL)",
                "CREATE INDEX product_created ON product (status, created_at, id)",
                "CREATE INDEX product_title ON product (status, title_key, id)",
                "CREATE INDEX product_all_created ON product (created_at, id)",
                "CREATE INDEX product_all_title ON product (title_key, id)",
                // The CHECKs stand behind the conditional updates: no bug can sell what is not there.
                "CREATE TABLE variant (
                    sku {KEY} NOT NULL PRIMARY KEY, product_id {UUID} NOT NULL REFERENCES product (id),
                    place BIGINT NOT NULL, title TEXT, price BIGINT NOT NULL CHECK (price >= 0),
                    currency TEXT NOT NULL, on_hand BIGINT NOT NULL CHECK (on_hand >= 0),
                    reserved BIGINT NOT NULL CHECK (reserved >= 0), version BIGINT NOT NULL,
                    CHECK (reserved <= on_hand))",
                "CREATE INDEX variant_product ON variant (product_id, place)",
                // Words of titles and SKUs, matched by prefix: found by the word where it is rare, looked up
                // by the product where it is common.
                "CREATE TABLE product_word (
                    word {KEY} NOT NULL, product_id {UUID} NOT NULL REFERENCES product (id),
                    PRIMARY KEY (word, product_id))",
                "CREATE INDEX product_word_product ON product_word (product_id, word)",
                // One row an order, its lines as JSON: holding and shipping stock write it once each.
                "CREATE TABLE reservation (
                    order_id {UUID} NOT NULL PRIMARY KEY, lines TEXT NOT NULL, state TEXT NOT NULL,
                    expires_at BIGINT NOT NULL, created_at BIGINT NOT NULL)",
                "CREATE INDEX reservation_held ON reservation (expires_at) WHERE state = 'held'",
                "CREATE TABLE movement (
                    id {UUID} NOT NULL PRIMARY KEY, sku {KEY} NOT NULL, kind TEXT NOT NULL, delta BIGINT NOT NULL,
                    reason TEXT NOT NULL, order_id {UUID}, actor TEXT NOT NULL, at BIGINT NOT NULL)",
                // With the delta, so that a ledger is summed without reading its rows.
                "CREATE INDEX movement_sku ON movement (sku, id, delta)",
                "CREATE INDEX movement_order ON movement (order_id) WHERE order_id IS NOT NULL",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["movement", "reservation", "product_word", "variant", "product"] {
            manager.drop_table(Table::drop().table(Alias::new(table)).to_owned()).await?;
        }
        Ok(())
    }
}
