//! A PostgreSQL database of its own for each test.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

/// Where the server is: `postgres://postgres@127.0.0.1:5432`.
const SERVER: &str = "TEST_POSTGRES_URL";

/// Drops the database when the test ends, also when it fails.
#[derive(Debug)]
pub struct DropGuard {
    server: String,
    name: String,
}

/// Makes a database with a name that nobody else has; its URL, and what drops it.
///
/// # Panics
/// Where the environment does not say where the server is, or it cannot be reached.
pub async fn fresh_postgres(prefix: &str) -> (String, DropGuard) {
    let server = std::env::var(SERVER).unwrap_or_else(|_| panic!("{SERVER} says where PostgreSQL is"));
    let server = server.trim_end_matches('/').to_owned();
    let name = format!("{prefix}_{}", uuid::Builder::from_random_bytes(rand::random()).into_uuid().simple());
    carry_out(&server, format!("CREATE DATABASE {name}")).await.expect("the server makes a database");
    (format!("{server}/{name}"), DropGuard { server, name })
}

async fn carry_out(server: &str, sql: String) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(&format!("{server}/postgres")).await?;
    // Names are made above, of a prefix in the code and a UUID.
    connection.execute(AssertSqlSafe(sql)).await?;
    connection.close().await
}

impl Drop for DropGuard {
    fn drop(&mut self) {
        let (server, sql) = (self.server.clone(), format!("DROP DATABASE {} WITH (FORCE)", self.name));
        // A thread of its own: the test's runtime may be ending, and cannot be waited on from inside.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(carry_out(&server, sql)).map_err(std::io::Error::other)
        });
        if !matches!(dropped.join(), Ok(Ok(()))) {
            tracing::warn!(database = self.name, "a test's database is left behind");
        }
    }
}
