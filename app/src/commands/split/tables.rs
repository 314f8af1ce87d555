//! What is in a module's database, looked at from outside and changed in nothing.

use sea_orm_migration::sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseBackend, DatabaseConnection, DbErr, Statement,
};
use std::collections::BTreeSet;

/// A database's tables.
pub(super) struct Tables {
    pub(super) tables: Vec<Table>,
    pub(super) bytes: i64,
    /// Table and the table that it refers to.
    references: Vec<(String, String)>,
}

pub(super) struct Table {
    pub(super) name: String,
    pub(super) rows: i64,
}

impl Tables {
    /// Foreign keys to tables that are not in this database's own set.
    pub(super) fn references_out(&self) -> Vec<String> {
        let own: BTreeSet<&str> = self.tables.iter().map(|table| table.name.as_str()).collect();
        let out = self.references.iter().filter(|(_, to)| !own.contains(to.as_str()));
        out.map(|(from, to)| format!("{from} → {to}")).collect()
    }
}

/// Looks; `None` where there is no file yet. A live SQLite file is opened read-only.
pub(super) async fn of(url: &str) -> Result<Option<Tables>, DbErr> {
    let url = match crate::modules::file(url) {
        Some(path) if !path.exists() => return Ok(None),
        Some(path) => format!("sqlite://{}?mode=ro", path.display()),
        None => url.to_owned(),
    };
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    let connection = Database::connect(options).await?;
    let found = match connection.get_database_backend() {
        DatabaseBackend::Sqlite => sqlite(&connection).await,
        _ => postgres(&connection).await,
    };
    drop(connection.close().await);
    found.map(Some)
}

async fn sqlite(connection: &DatabaseConnection) -> Result<Tables, DbErr> {
    let names =
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let mut tables = Vec::new();
    for name in texts(connection, names, "name").await? {
        // A table's name cannot be bound.
        let count = format!("SELECT COUNT(*) AS n FROM \"{}\"", name.replace('"', "\"\""));
        tables.push(Table { rows: number(connection, &count).await?, name });
    }
    let references = "SELECT m.name AS here, f.\"table\" AS there FROM sqlite_master m \
                      JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'";
    let bytes = "SELECT page_count * page_size AS n FROM pragma_page_count, pragma_page_size";
    Ok(Tables {
        tables,
        bytes: number(connection, bytes).await?,
        references: pairs(connection, references).await?,
    })
}

async fn postgres(connection: &DatabaseConnection) -> Result<Tables, DbErr> {
    let names =
        "SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename";
    let mut tables = Vec::new();
    for name in texts(connection, names, "name").await? {
        let count = format!("SELECT COUNT(*) AS n FROM \"{}\"", name.replace('"', "\"\""));
        tables.push(Table { rows: number(connection, &count).await?, name });
    }
    let references = "SELECT conrelid::regclass::text AS here, confrelid::regclass::text AS there \
                      FROM pg_constraint WHERE contype = 'f'";
    Ok(Tables {
        tables,
        bytes: number(connection, "SELECT pg_database_size(current_database()) AS n").await?,
        references: pairs(connection, references).await?,
    })
}

async fn texts(connection: &DatabaseConnection, sql: &str, column: &str) -> Result<Vec<String>, DbErr> {
    let rows = connection.query_all_raw(statement(connection, sql)).await?;
    rows.iter().map(|row| row.try_get("", column)).collect()
}

async fn pairs(connection: &DatabaseConnection, sql: &str) -> Result<Vec<(String, String)>, DbErr> {
    let rows = connection.query_all_raw(statement(connection, sql)).await?;
    rows.iter().map(|row| Ok((row.try_get("", "here")?, row.try_get("", "there")?))).collect()
}

async fn number(connection: &DatabaseConnection, sql: &str) -> Result<i64, DbErr> {
    let row = connection.query_one_raw(statement(connection, sql)).await?;
    row.map_or(Ok(0), |row| row.try_get("", "n"))
}

fn statement(connection: &DatabaseConnection, sql: &str) -> Statement {
    Statement::from_string(connection.get_database_backend(), sql)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(references: &[(&str, &str)]) -> Tables {
        let table = |name: &str| Table { name: name.into(), rows: 0 };
        let references = references.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
        Tables { tables: vec![table("products"), table("variants")], bytes: 0, references }
    }

    #[test]
    fn a_foreign_key_that_leads_out_is_found() {
        assert!(tables(&[("variants", "products")]).references_out().is_empty());
        let planted = tables(&[("variants", "products"), ("products", "orders")]);
        assert_eq!(planted.references_out(), ["products → orders"]);
    }
}
