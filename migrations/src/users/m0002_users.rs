//! Accounts, sessions with the digests of their refresh tokens, and the keys that sign access tokens.

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
                // An erased account keeps its id and nothing that names a person.
                "CREATE TABLE account (
                    id {UUID} NOT NULL PRIMARY KEY, email {KEY} UNIQUE, name TEXT NOT NULL, role TEXT NOT NULL,
                    password TEXT NOT NULL, created_at BIGINT NOT NULL, erased_at BIGINT, last_change {UUID},
                    version BIGINT NOT NULL, CHECK ((email IS NULL) = (erased_at IS NOT NULL)))",
                "CREATE INDEX account_list ON account (created_at, id) WHERE erased_at IS NULL",
                "CREATE INDEX account_admin ON account (id) WHERE role = 'admin' AND erased_at IS NULL",
                "CREATE TABLE session (
                    id {UUID} NOT NULL PRIMARY KEY, account_id {UUID} NOT NULL REFERENCES account (id),
                    device TEXT, created_at BIGINT NOT NULL, refreshed_at BIGINT NOT NULL,
                    expires_at BIGINT NOT NULL, ended_at BIGINT)",
                "CREATE INDEX session_live ON session (account_id, created_at, id) WHERE ended_at IS NULL",
                "CREATE INDEX session_expiry ON session (expires_at)",
                "CREATE INDEX session_ended ON session (ended_at) WHERE ended_at IS NOT NULL",
                // One row per token of a session: a dead one must be known to be told from a made-up one.
                "CREATE TABLE refresh_token (
                    digest {KEY} NOT NULL PRIMARY KEY,
                    session_id {UUID} NOT NULL REFERENCES session (id) ON DELETE CASCADE,
                    issued_at BIGINT NOT NULL, successor {KEY})",
                "CREATE INDEX refresh_token_session ON refresh_token (session_id)",
                "CREATE TABLE signing_key (
                    kid {KEY} NOT NULL PRIMARY KEY, private_key TEXT, public_key TEXT NOT NULL,
                    state TEXT NOT NULL, created_at BIGINT NOT NULL, superseded_at BIGINT,
                    CHECK (state IN ('active', 'retired')), CHECK ((private_key IS NULL) = (state = 'retired')))",
                "CREATE INDEX signing_key_active ON signing_key (created_at, kid) WHERE state = 'active'",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["signing_key", "refresh_token", "session", "account"] {
            manager.drop_table(Table::drop().table(Alias::new(table)).to_owned()).await?;
        }
        Ok(())
    }
}
