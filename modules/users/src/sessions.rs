//! Sessions: what they are worth, which there are, and their end.

use crate::{Service, entities::account::role, sign_in::account_lock};
use bus::{BusError, Role, Timestamp};
use bus_durable::{Row, Tx};
use kernel::Page;
use sea_orm::Value;
use std::time::Duration;
use users_ports::{
    CheckSession, EndSession, EndSessions, InvalidField, ListSessions, Session, SessionState, UsersError,
};
use uuid::Uuid;

/// How long an ended session is kept, with the digests that tell a stolen token from a made-up one.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// How many rows one unit of work deletes at most: the module's other writes wait for it.
const SWEPT_AT_ONCE: i64 = 500;

impl Service {
    pub(crate) async fn check(&self, request: CheckSession) -> Result<SessionState, UsersError> {
        let sql = "SELECT a.role FROM session s JOIN account a ON a.id = s.account_id \
                   WHERE s.id = $1 AND s.account_id = $2 AND s.ended_at IS NULL AND s.expires_at > $3 \
                   AND a.erased_at IS NULL";
        let now = self.now().micros();
        let values = [request.session_id.0.into(), request.user_id.0.into(), now.into()];
        match self.database.reader().row(sql, values).await? {
            Some(row) => Ok(SessionState { active: true, role: role(&row.get::<String>("role")?)? }),
            None => Ok(SessionState { active: false, role: Role::Customer }),
        }
    }

    pub(crate) async fn list(&self, request: ListSessions) -> Result<Page<Session>, UsersError> {
        let ListSessions { user_id, page } = request;
        let after: Option<(i64, Uuid)> = match &page.cursor {
            Some(cursor) => {
                Some(cursor.key().map_err(|_| UsersError::Invalid { fields: vec![InvalidField::Cursor] })?)
            }
            None => None,
        };
        // One statement for the first page and the rest: a place after all of them.
        let (at, id) = after.unwrap_or((i64::MAX, Uuid::max()));
        let sql = "SELECT id, device, created_at, refreshed_at, expires_at FROM session \
                   WHERE account_id = $1 AND ended_at IS NULL AND expires_at > $2 \
                   AND (created_at, id) < ($3, $4) ORDER BY created_at DESC, id DESC LIMIT $5";
        let probe = i64::try_from(page.limit.probe()).unwrap_or(i64::MAX);
        let values: [Value; 5] =
            [user_id.0.into(), self.now().micros().into(), at.into(), id.into(), probe.into()];
        let rows = self.database.reader().rows(sql, values).await?;
        let sessions = rows.iter().map(session).collect::<Result<Vec<_>, BusError>>()?;
        Ok(Page::cut(sessions, page.limit, |session| (session.created_at.micros(), session.id)))
    }

    pub(crate) async fn end(&self, request: EndSession) -> Result<(), UsersError> {
        let lock = account_lock(request.user_id.0);
        self.database
            .command(vec![lock], request, |request, tx| {
                Box::pin(async move {
                    let sql = "UPDATE session SET ended_at = $1 \
                               WHERE id = $2 AND account_id = $3 AND ended_at IS NULL";
                    let now = tx.now().micros();
                    let values = [now.into(), request.session_id.0.into(), request.user_id.0.into()];
                    tx.execute(sql, values).await?;
                    Ok(())
                })
            })
            .await
    }

    pub(crate) async fn end_all(&self, request: EndSessions) -> Result<(), UsersError> {
        let lock = account_lock(request.user_id.0);
        self.database
            .command(vec![lock], request, |request, tx| {
                Box::pin(async move { Ok(end_sessions_of(request.user_id.0, tx).await?) })
            })
            .await
    }

    /// Deletes sessions that ended long ago, with their tokens.
    pub(crate) async fn forget_sessions(&self) -> Result<(), BusError> {
        let before = self.now().before(KEPT).micros();
        for column in ["ended_at", "expires_at"] {
            loop {
                let sql = format!(
                    "DELETE FROM session WHERE id IN (SELECT id FROM session WHERE {column} < $1 LIMIT $2)"
                );
                let deleted = self.database.write((sql, before), |(sql, before), tx| {
                    Box::pin(async move { tx.execute(sql, [(*before).into(), SWEPT_AT_ONCE.into()]).await })
                });
                let deleted: Result<u64, BusError> = deleted.await;
                if deleted? < SWEPT_AT_ONCE.unsigned_abs() {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Ends all sessions of an account, in the transaction of what made that necessary.
pub(crate) async fn end_sessions_of(account: Uuid, tx: &Tx<'_>) -> Result<(), BusError> {
    let sql = "UPDATE session SET ended_at = $1 WHERE account_id = $2 AND ended_at IS NULL";
    tx.execute(sql, [tx.now().micros().into(), account.into()]).await.map(|_| ())
}

fn session(row: &Row) -> Result<Session, BusError> {
    Ok(Session {
        id: row.get::<Uuid>("id")?.into(),
        device: row.get("device")?,
        created_at: Timestamp::from_micros(row.get("created_at")?),
        refreshed_at: Timestamp::from_micros(row.get("refreshed_at")?),
        expires_at: Timestamp::from_micros(row.get("expires_at")?),
    })
}
