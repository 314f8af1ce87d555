//! What users change of themselves.

use crate::{
    Service,
    accounts::{check_version, email_lock, is_taken},
    credentials::{Fields, normalise},
    entities::account,
    sealing::Seal,
    sessions::end_sessions_of,
    sign_in::account_lock,
    throttle::Subject,
};
use bus_durable::Tx;
use sea_orm::EntityTrait as _;
use serde::Serialize;
use std::sync::Arc;
use users_ports::{Secret, UpdateProfile, User, UsersError};

/// What makes two changes under one idempotency key the same request.
#[derive(Serialize)]
struct ChangeText<'a> {
    change: &'a Option<String>,
    email: &'a Option<String>,
    password: &'a Option<Secret>,
    current_password: &'a Option<Secret>,
    expected_version: Option<i64>,
}

/// What was found out before the transaction.
#[derive(Default)]
struct Proof {
    /// The hash that the current password fitted.
    proven: Option<String>,
    /// The new password's hash.
    hash: Option<String>,
}

impl Service {
    pub(crate) async fn change(&self, mut request: UpdateProfile) -> Result<User, UsersError> {
        let account = self.account(request.user_id).await?.ok_or(UsersError::NotFound)?;
        let user = account.user()?.ok_or(UsersError::NotFound)?;
        if account.last_change == Some(request.change_id) {
            return Ok(user);
        }
        request.name = request.name.map(|name| name.trim().to_owned());
        request.email = request.email.map(|email| normalise(&email));
        check_fields(&request, &user.email)?;
        let mut proof = Proof::default();
        let mut seal = None;
        let moves = request.email.as_ref().is_some_and(|email| *email != user.email);
        if moves || request.password.is_some() {
            check_version(request.expected_version, user.version)?;
            (proof, seal) = self.prove(&request, account).await?;
        }
        let mut locks = vec![account_lock(request.user_id.0)];
        locks.extend(request.email.as_deref().map(email_lock));
        let proof = Arc::new(proof);
        let write = self.database.command(locks, request, move |request, tx| {
            let proof = Arc::clone(&proof);
            Box::pin(async move { apply(request, &proof, tx).await })
        });
        Seal::cover(seal, write).await
    }

    /// Checks the current password, without which neither address nor password changes.
    async fn prove(
        &self,
        request: &UpdateProfile,
        account: account::Model,
    ) -> Result<(Proof, Option<Seal>), UsersError> {
        let current = request.current_password.as_ref().ok_or(UsersError::WrongPassword)?;
        let subject = Subject::User(account.id);
        let check = || self.throttle.check_password(self.now(), &subject, request.client);
        check()?;
        let turn = self.passwords.turn().await?;
        check()?;
        let (fits, mut turn) = turn.check(current, Some(&account.password)).await?;
        if !fits {
            self.throttle.wrong_password(self.now(), &subject, request.client);
            return Err(UsersError::WrongPassword);
        }
        let mut hash = None;
        if let Some(password) = &request.password {
            let (made, back) = turn.hash(password).await?;
            (hash, turn) = (Some(made), back);
        }
        let text = ChangeText {
            change: &request.name,
            email: &request.email,
            password: &request.password,
            current_password: &request.current_password,
            expected_version: request.expected_version,
        };
        let (seal, _turn) = Seal::of_password(turn, &text).await?;
        Ok((Proof { proven: Some(account.password), hash }, seal))
    }
}

fn check_fields(request: &UpdateProfile, own_email: &str) -> Result<(), UsersError> {
    let mut fields = Fields::default();
    if let Some(email) = &request.email {
        fields = fields.email(email);
    }
    if let Some(name) = &request.name {
        fields = fields.name(name);
    }
    if let Some(password) = &request.password {
        fields = fields.password(password, request.email.as_deref().unwrap_or(own_email));
    }
    fields.check()
}

async fn apply(request: &UpdateProfile, proof: &Proof, tx: &Tx<'_>) -> Result<User, UsersError> {
    let account =
        tx.one(account::Entity::find_by_id(request.user_id.0)).await?.ok_or(UsersError::NotFound)?;
    let mut user = account.user()?.ok_or(UsersError::NotFound)?;
    if account.last_change == Some(request.change_id) {
        return Ok(user);
    }
    check_version(request.expected_version, user.version)?;
    let email = request.email.as_ref().filter(|email| **email != user.email);
    if (email.is_some() || proof.hash.is_some()) && proof.proven.as_ref() != Some(&account.password) {
        // Somebody was faster: what was proven is not the password any more.
        return Err(UsersError::WrongPassword);
    }
    if let Some(email) = email
        && is_taken(email, tx).await?
    {
        return Err(UsersError::EmailTaken);
    }
    let name = request.name.as_ref().filter(|name| **name != user.name);
    if email.is_none() && name.is_none() && proof.hash.is_none() {
        return Ok(user);
    }
    user.email = email.unwrap_or(&user.email).clone();
    user.name = name.unwrap_or(&user.name).clone();
    user.version += 1;
    let sql = "UPDATE account SET email = $1, name = $2, password = $3, last_change = $4, version = $5 WHERE id = $6";
    let values = [
        user.email.as_str().into(),
        user.name.as_str().into(),
        proof.hash.as_ref().unwrap_or(&account.password).as_str().into(),
        request.change_id.into(),
        user.version.into(),
        account.id.into(),
    ];
    tx.execute(sql, values).await?;
    if proof.hash.is_some() {
        // F24: whoever knew the old password is out, the one who changes it included.
        end_sessions_of(account.id, tx).await?;
    }
    Ok(user)
}
