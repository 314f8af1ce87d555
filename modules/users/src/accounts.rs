//! Accounts as others see and change them: registration, the list, roles, the end.

use crate::{
    Service,
    credentials::{Fields, normalise},
    entities::account,
    sealing::Seal,
    sessions::end_sessions_of,
    sign_in::account_lock,
};
use bus::{BusError, Role};
use bus_durable::{Batched, Reader, Tx};
use kernel::{Page, UserId};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, ExprTrait as _},
};
use serde::Serialize;
use std::sync::Arc;
use users_ports::{
    ChangeRole, EraseUser, GetUser, InvalidField, ListUsers, RegisterUser, Secret, User, UserRegistered,
    UsersError,
};
use uuid::Uuid;

/// Serialises what changes who is admin, between processes.
pub(crate) const ADMINS: &str = "admins";

/// What makes two registrations under one idempotency key the same request.
#[derive(Serialize)]
struct RegistrationText<'a> {
    register: &'a str,
    name: &'a str,
    password: &'a Secret,
}

/// Accounts by their ids, many at once: half of what happens asks for one.
pub(crate) fn by_id(reader: Reader) -> Batched<UserId, account::Model> {
    Batched::new(move |ids: Vec<UserId>| {
        let reader = reader.clone();
        Box::pin(async move {
            let mut ids: Vec<Uuid> = ids.into_iter().map(|id| id.0).collect();
            // Every length would be a prepared statement of its own.
            ids.resize(ids.len().next_power_of_two(), ids.last().copied().unwrap_or_default());
            let found = reader.all(account::Entity::find().filter(account::Column::Id.is_in(ids))).await?;
            Ok(found.into_iter().map(|account| (UserId(account.id), account)).collect())
        })
    })
}

impl Service {
    pub(crate) async fn sign_up(&self, mut request: RegisterUser) -> Result<User, UsersError> {
        request.email = normalise(&request.email);
        request.name = request.name.trim().to_owned();
        Fields::default()
            .email(&request.email)
            .name(&request.name)
            .password(&request.password, &request.email)
            .check()?;
        if let Some(known) = self.account(request.user_id).await? {
            return same_registration(&request, &known);
        }
        self.throttle.registration(self.now(), request.client)?;
        let turn = self.passwords.turn().await?;
        let (hash, turn) = turn.hash(&request.password).await?;
        let text =
            RegistrationText { register: &request.email, name: &request.name, password: &request.password };
        let (seal, turn) = Seal::of_password(turn, &text).await?;
        drop(turn);
        let hash: Arc<str> = hash.into();
        let locks = vec![email_lock(&request.email)];
        let write = self.database.command(locks, request, move |request, tx| {
            let hash = Arc::clone(&hash);
            Box::pin(async move {
                if let Some(known) = tx.one(account::Entity::find_by_id(request.user_id.0)).await? {
                    return same_registration(request, &known);
                }
                let user =
                    insert(request.user_id, &request.email, &request.name, Role::Customer, &hash, tx).await?;
                tx.publish(&UserRegistered { user_id: user.id, version: user.version })?;
                Ok(user)
            })
        });
        Seal::cover(seal, write).await
    }

    /// An account as it is committed.
    pub(crate) async fn account(&self, id: UserId) -> Result<Option<account::Model>, BusError> {
        self.accounts.get(id).await
    }

    pub(crate) async fn one(&self, request: GetUser) -> Result<User, UsersError> {
        let account = self.account(request.user_id).await?.ok_or(UsersError::NotFound)?;
        account.user()?.ok_or(UsersError::NotFound)
    }

    pub(crate) async fn all(&self, request: ListUsers) -> Result<Page<User>, UsersError> {
        let ListUsers { page } = request;
        let mut find = account::Entity::find()
            .filter(account::Column::ErasedAt.is_null())
            .order_by_asc(account::Column::CreatedAt)
            .order_by_asc(account::Column::Id)
            .limit(page.limit.probe());
        if let Some(cursor) = &page.cursor {
            let (at, id): (i64, Uuid) =
                cursor.key().map_err(|_| UsersError::Invalid { fields: vec![InvalidField::Cursor] })?;
            let place = Expr::tuple([Expr::col(account::Column::CreatedAt), Expr::col(account::Column::Id)]);
            find = find.filter(place.gt(Expr::tuple([Expr::val(at), Expr::val(id)])));
        }
        let accounts = self.database.reader().all(find).await?;
        let users = accounts.iter().filter_map(|account| account.user().transpose());
        let users = users.collect::<Result<Vec<_>, BusError>>()?;
        Ok(Page::cut(users, page.limit, |user| (user.created_at.micros(), user.id)))
    }

    pub(crate) async fn give_role(&self, request: ChangeRole) -> Result<User, UsersError> {
        let locks = vec![ADMINS.to_owned(), account_lock(request.user_id.0)];
        self.database
            .command(locks, request, |request, tx| {
                Box::pin(async move {
                    let account = tx.one(account::Entity::find_by_id(request.user_id.0)).await?;
                    let account = account.ok_or(UsersError::NotFound)?;
                    let mut user = account.user()?.ok_or(UsersError::NotFound)?;
                    if account.last_change == Some(request.change_id) {
                        return Ok(user);
                    }
                    check_version(request.expected_version, user.version)?;
                    if user.role == request.role {
                        return Ok(user);
                    }
                    if user.role == Role::Admin {
                        check_another_admin(tx).await?;
                    }
                    let sql =
                        "UPDATE account SET role = $1, last_change = $2, version = version + 1 WHERE id = $3";
                    let role = account::role_text(request.role);
                    tx.execute(sql, [role.into(), request.change_id.into(), account.id.into()]).await?;
                    user.role = request.role;
                    user.version += 1;
                    Ok(user)
                })
            })
            .await
    }

    pub(crate) async fn deactivate(&self, request: EraseUser) -> Result<(), UsersError> {
        let locks = vec![ADMINS.to_owned(), account_lock(request.user_id.0)];
        self.database
            .command(locks, request, |request, tx| {
                Box::pin(async move {
                    let account = tx.one(account::Entity::find_by_id(request.user_id.0)).await?;
                    let account = account.ok_or(UsersError::NotFound)?;
                    let Some(user) = account.user()? else { return Ok(()) };
                    check_version(request.expected_version, user.version)?;
                    if user.role == Role::Admin {
                        check_another_admin(tx).await?;
                    }
                    let sql = "UPDATE account SET email = NULL, name = '', password = '', erased_at = $1, \
                               version = version + 1 WHERE id = $2";
                    tx.execute(sql, [tx.now().micros().into(), account.id.into()]).await?;
                    end_sessions_of(account.id, tx).await?;
                    let sql = "UPDATE session SET device = NULL WHERE account_id = $1";
                    tx.execute(sql, [account.id.into()]).await?;
                    Ok(())
                })
            })
            .await
    }
}

/// Adds an account, unless the address is taken.
pub(crate) async fn insert(
    id: UserId,
    email: &str,
    name: &str,
    role: Role,
    hash: &str,
    tx: &Tx<'_>,
) -> Result<User, UsersError> {
    if is_taken(email, tx).await? {
        return Err(UsersError::EmailTaken);
    }
    let now = tx.now();
    let sql = "INSERT INTO account (id, email, name, role, password, created_at, version) \
               VALUES ($1, $2, $3, $4, $5, $6, 1) ON CONFLICT DO NOTHING";
    let values = [
        id.0.into(),
        email.into(),
        name.into(),
        account::role_text(role).into(),
        hash.into(),
        now.micros().into(),
    ];
    if tx.execute(sql, values).await? == 0 {
        return Err(UsersError::EmailTaken);
    }
    Ok(User { id, email: email.into(), name: name.into(), role, created_at: now, version: 1 })
}

pub(crate) fn email_lock(email: &str) -> String {
    format!("email:{email}")
}

pub(crate) async fn is_taken(email: &str, tx: &Tx<'_>) -> Result<bool, BusError> {
    let sql = "SELECT 1 AS taken FROM account WHERE email = $1";
    Ok(tx.row(sql, [email.into()]).await?.is_some())
}

pub(crate) fn check_version(expected: Option<i64>, current: i64) -> Result<(), UsersError> {
    match expected {
        Some(expected) if expected != current => Err(UsersError::VersionMismatch { current }),
        _ => Ok(()),
    }
}

/// The same registration again, unless somebody has made up another's id.
fn same_registration(request: &RegisterUser, known: &account::Model) -> Result<User, UsersError> {
    match known.user()? {
        Some(user) if user.email == request.email => Ok(user),
        _ => Err(UsersError::EmailTaken),
    }
}

/// Somebody must be left to run the shop.
async fn check_another_admin(tx: &Tx<'_>) -> Result<(), UsersError> {
    let sql = "SELECT id FROM account WHERE role = 'admin' AND erased_at IS NULL LIMIT 2";
    if tx.rows(sql, []).await?.len() < 2 { Err(UsersError::LastAdmin) } else { Ok(()) }
}
