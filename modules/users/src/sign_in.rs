//! Credentials against tokens: a password for a new session, a refresh token for the next one.

use crate::{
    Service,
    credentials::normalise,
    entities::account,
    sealing::{Decision, Seal, exchange},
    throttle::Subject,
    tokens::{self, Grant},
};
use bus::{BusError, Timestamp};
use bus_durable::Tx;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde::Serialize;
use users_ports::{CreateSession, RefreshSession, Secret, SignedIn, User, UsersError};
use uuid::Uuid;

/// What a client may call itself at most.
const LONGEST_DEVICE: usize = 200;

/// What makes two logins under one idempotency key the same request.
#[derive(Serialize)]
struct LoginText<'a> {
    login: &'a str,
    password: &'a Secret,
}

/// A login whose password was right.
struct Login {
    session_id: Uuid,
    account_id: Uuid,
    /// The hash that the password fitted: where it has changed since, so has the password.
    proven: String,
    renewed: Option<String>,
    refresh_token: Secret,
    digest: String,
    device: Option<String>,
    expires_at: Timestamp,
}

struct Exchange {
    digest: String,
    next: Secret,
    next_digest: String,
}

impl Service {
    pub(crate) async fn sign_in(&self, request: CreateSession) -> Result<SignedIn, UsersError> {
        let digest = tokens::digest(&request.refresh_token).ok_or(UsersError::InvalidCredentials)?;
        let email = normalise(&request.email);
        let subject = Subject::address(&email);
        self.throttle.check_password(self.now(), &subject, request.client)?;
        let find = account::Entity::find().filter(account::Column::Email.eq(email.as_str()));
        let found = self.database.reader().one(find).await?;
        let turn = self.passwords.turn().await?;
        // Once more: many may have passed the first look while one of them was hashed.
        self.throttle.check_password(self.now(), &subject, request.client)?;
        // One path for all: an unknown address has its password checked too (6.3.8).
        let hash = found.as_ref().map(|account| account.password.as_str());
        let (fits, mut turn) = turn.check(&request.password, hash).await?;
        let Some(account) = found.filter(|_| fits) else {
            self.throttle.wrong_password(self.now(), &subject, request.client);
            return Err(UsersError::InvalidCredentials);
        };
        let mut renewed = None;
        if self.passwords.is_dated(&account.password) {
            let (hash, back) = turn.hash(&request.password).await?;
            (renewed, turn) = (Some(hash), back);
        }
        let text = LoginText { login: &email, password: &request.password };
        let (seal, turn) = Seal::of_password(turn, &text).await?;
        drop(turn);
        let login = Login {
            session_id: request.session_id.0,
            account_id: account.id,
            proven: account.password,
            renewed,
            refresh_token: request.refresh_token,
            digest,
            device: request.device.map(|device| device.chars().take(LONGEST_DEVICE).collect()),
            expires_at: self.now().after(self.settings.session_lifetime),
        };
        let locks = vec![account_lock(account.id)];
        let grant =
            exchange(&self.database, locks, seal, login, |login, tx| Box::pin(begin(login, tx))).await?;
        Ok(self.issuer.issue(grant, &self.keys.current())?)
    }

    pub(crate) async fn refresh(&self, request: RefreshSession) -> Result<SignedIn, UsersError> {
        let digest = tokens::digest(&request.refresh_token).ok_or(UsersError::InvalidCredentials)?;
        let next_digest =
            tokens::digest(&request.next_refresh_token).ok_or(UsersError::InvalidCredentials)?;
        let seal = Seal::of_token(&request.refresh_token);
        let locks = vec![format!("refresh:{digest}")];
        let state = Exchange { digest, next: request.next_refresh_token, next_digest };
        let grant =
            exchange(&self.database, locks, seal, state, |state, tx| Box::pin(go_on(state, tx))).await?;
        Ok(self.issuer.issue(grant, &self.keys.current())?)
    }
}

/// Serialises what changes an account, and what rests on its password, between processes.
pub(crate) fn account_lock(account: Uuid) -> String {
    format!("account:{account}")
}

fn granted(session_id: Uuid, user: User, at: i64, until: i64, token: &Secret) -> Decision {
    Decision::Granted(Box::new(Grant {
        session_id,
        user,
        issued_at: Timestamp::from_micros(at),
        session_expires_at: Timestamp::from_micros(until),
        refresh_token: token.clone(),
    }))
}

/// Begins a session.
async fn begin(login: &Login, tx: &Tx<'_>) -> Result<Decision, UsersError> {
    let account = tx.one(account::Entity::find_by_id(login.account_id)).await?;
    let Some((user, password)) = account.and_then(|a| Some((a.user().transpose()?, a.password))) else {
        return Err(UsersError::InvalidCredentials);
    };
    let user = user?;
    let sql = "SELECT s.account_id, s.created_at, s.expires_at, s.ended_at, t.session_id AS issued \
               FROM session s LEFT JOIN refresh_token t ON t.digest = $2 AND t.session_id = s.id \
               WHERE s.id = $1";
    if let Some(row) = tx.row(sql, [login.session_id.into(), login.digest.as_str().into()]).await? {
        // The same request again, unless somebody has made up the id of another's session.
        let same = row.get::<Uuid>("account_id")? == login.account_id
            && row.get::<Option<Uuid>>("issued")?.is_some()
            && row.get::<Option<i64>>("ended_at")?.is_none();
        if !same {
            return Err(UsersError::InvalidCredentials);
        }
        let (at, until) = (row.get("created_at")?, row.get("expires_at")?);
        return Ok(granted(login.session_id, user, at, until, &login.refresh_token));
    }
    if password != login.proven {
        // F24: changed while this was on its way; nothing may come of the old one.
        return Err(UsersError::InvalidCredentials);
    }
    let (now, until) = (tx.now().micros(), login.expires_at.micros());
    let sql = "INSERT INTO session (id, account_id, device, created_at, refreshed_at, expires_at) \
               VALUES ($1, $2, $3, $4, $4, $5)";
    let values = [
        login.session_id.into(),
        login.account_id.into(),
        login.device.clone().into(),
        now.into(),
        until.into(),
    ];
    tx.execute(sql, values).await?;
    store_token(tx, &login.digest, login.session_id, now).await?;
    if let Some(renewed) = &login.renewed {
        let sql = "UPDATE account SET password = $1 WHERE id = $2 AND password = $3";
        let values = [renewed.as_str().into(), login.account_id.into(), login.proven.as_str().into()];
        tx.execute(sql, values).await?;
    }
    Ok(granted(login.session_id, user, now, until, &login.refresh_token))
}

/// Exchanges a refresh token for its successor, or ends the session of one that is used again (RFC 9700, 4.14.2).
async fn go_on(exchange: &Exchange, tx: &Tx<'_>) -> Result<Decision, UsersError> {
    let sql = "SELECT t.session_id, t.successor, n.issued_at, s.account_id, s.ended_at, s.expires_at \
               FROM refresh_token t JOIN session s ON s.id = t.session_id \
               LEFT JOIN refresh_token n ON n.digest = t.successor WHERE t.digest = $1";
    let Some(row) = tx.row(sql, [exchange.digest.as_str().into()]).await? else {
        return Ok(Decision::Refused);
    };
    let (now, until) = (tx.now().micros(), row.get::<i64>("expires_at")?);
    if row.get::<Option<i64>>("ended_at")?.is_some() || until <= now {
        return Ok(Decision::Refused);
    }
    let session_id: Uuid = row.get("session_id")?;
    let account = tx.one(account::Entity::find_by_id(row.get::<Uuid>("account_id")?)).await?;
    let Some(user) = account.map(|account| account.user()).transpose()?.flatten() else {
        return Ok(Decision::Refused);
    };
    let at = match row.get::<Option<String>>("successor")? {
        Some(successor) if successor == exchange.next_digest => row.get::<i64>("issued_at")?,
        Some(_) => {
            tracing::warn!(
                session = %session_id,
                "a dead refresh token was used again: its session is ended"
            );
            metrics::counter!("users_refresh_token_reuse_total").increment(1);
            end(tx, session_id, now).await?;
            return Ok(Decision::Refused);
        }
        None => {
            if !store_token(tx, &exchange.next_digest, session_id, now).await? {
                // A successor that is somebody's token already is none.
                return Err(UsersError::InvalidCredentials);
            }
            let sql = "UPDATE refresh_token SET successor = $1 WHERE digest = $2";
            tx.execute(sql, [exchange.next_digest.as_str().into(), exchange.digest.as_str().into()]).await?;
            let sql = "UPDATE session SET refreshed_at = $1 WHERE id = $2";
            tx.execute(sql, [now.into(), session_id.into()]).await?;
            now
        }
    };
    Ok(granted(session_id, user, at, until, &exchange.next))
}

/// Stores a token's digest; `false` where that token has been issued before.
async fn store_token(tx: &Tx<'_>, digest: &str, session: Uuid, now: i64) -> Result<bool, BusError> {
    let sql = "INSERT INTO refresh_token (digest, session_id, issued_at) VALUES ($1, $2, $3) \
               ON CONFLICT (digest) DO NOTHING";
    Ok(tx.execute(sql, [digest.into(), session.into(), now.into()]).await? == 1)
}

async fn end(tx: &Tx<'_>, session: Uuid, now: i64) -> Result<(), BusError> {
    let sql = "UPDATE session SET ended_at = $1 WHERE id = $2 AND ended_at IS NULL";
    tx.execute(sql, [now.into(), session.into()]).await.map(|_| ())
}
