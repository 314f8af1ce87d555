//! Idempotency keys for requests that hold a secret, and for answers that do.
//!
//! What is kept under a key is a digest of the request and its answer. For a request with a password a plain digest could
//! be guessed at a billion tries a second, and an answer with a refresh token would be that token in clear. So the digest
//! is stretched as the password is, and the answer is sealed (AES-256-GCM) with a key that only who repeats the request
//! can make again.

use crate::{passwords::Turn, tokens::Grant};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use bus::{BusError, Command, Context};
use bus_durable::{Claim, Database, Tx};
use futures::future::BoxFuture;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::{future::Future, sync::Arc};
use users_ports::{Secret, UsersError};
use zeroize::Zeroizing;

/// A command's id and fingerprint as they may be stored, and the key to its answer.
pub(crate) struct Seal {
    command: Command,
    key: Zeroizing<[u8; 32]>,
}

impl Seal {
    /// The seal of a request that holds a password; `None` where the context has no idempotency key.
    pub(crate) async fn of_password<'t>(
        turn: Turn<'t>,
        request: &impl Serialize,
    ) -> Result<(Option<Self>, Turn<'t>), BusError> {
        let Some(command) = Context::current().command else { return Ok((None, turn)) };
        let secret = Zeroizing::new(serde_json::to_vec(request).map_err(|error| BusError::failed(&error))?);
        let id = Sha256::digest(&command.id);
        let (stretched, turn) = turn.stretch(secret, std::array::from_fn(|i| id[i])).await?;
        let (fingerprint, key) = stretched.split_at(32);
        Ok((Some(Self::new(&command, fingerprint, key)), turn))
    }

    /// The seal of a request that holds a refresh token, whose 256 bits need no stretching.
    pub(crate) fn of_token(token: &Secret) -> Option<Self> {
        let command = Context::current().command?;
        let part = |label: &str| -> Zeroizing<[u8; 32]> {
            Zeroizing::new(Sha256::new().chain_update(label).chain_update(token.expose()).finalize().into())
        };
        Some(Self::new(&command, &part("fingerprint")[..], &part("seal")[..]))
    }

    fn new(command: &Command, fingerprint: &[u8], key: &[u8]) -> Self {
        let fingerprint = fingerprint.iter().map(|byte| format!("{byte:02x}")).collect();
        let key = Zeroizing::new(std::array::from_fn(|i| key.get(i).copied().unwrap_or_default()));
        Self { command: Command { id: command.id.clone(), fingerprint }, key }
    }

    /// Runs `work` with the stretched fingerprint in the context, in place of the plain one.
    pub(crate) async fn cover<F: Future>(seal: Option<Self>, work: F) -> F::Output {
        let mut context = Context::current();
        if let Some(seal) = seal {
            context.command = Some(Arc::new(seal.command));
        }
        context.scope(work).await
    }

    fn close(&self, grant: &Grant) -> Result<String, BusError> {
        let failed = |_| BusError::failed(&"an answer could not be sealed");
        let mut text = serde_json::to_vec(grant).map_err(|error| BusError::failed(&error))?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, self.key.as_ref()).map_err(failed)?;
        let nonce = key.seal_in_place_append_tag(Aad::from(&self.command.id), &mut text).map_err(failed)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut text);
        Ok(STANDARD_NO_PAD.encode(sealed))
    }

    fn open(&self, sealed: &str) -> Result<Grant, BusError> {
        let failed = || BusError::failed(&"a sealed answer could not be opened");
        let mut sealed = STANDARD_NO_PAD.decode(sealed).map_err(|_| failed())?;
        let (nonce, text) = sealed.split_at_mut_checked(NONCE_LEN).ok_or_else(failed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| failed())?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, self.key.as_ref()).map_err(|_| failed())?;
        let text = key.open_in_place(nonce, Aad::from(&self.command.id), text).map_err(|_| failed())?;
        serde_json::from_slice(text).map_err(|_| failed())
    }
}

/// How an exchange of credentials was decided.
pub(crate) enum Decision {
    /// Tokens.
    Granted(Box<Grant>),
    /// None; but what was written to that end stays written.
    Refused,
}

/// Carries out an exchange in one unit of work, once for each idempotency key, the stored answer sealed.
pub(crate) async fn exchange<S, F>(
    database: &Database,
    locks: Vec<String>,
    seal: Option<Seal>,
    state: S,
    body: F,
) -> Result<Grant, UsersError>
where
    S: Send + Sync + 'static,
    F: for<'a> Fn(&'a S, &'a Tx<'a>) -> BoxFuture<'a, Result<Decision, UsersError>> + Send + Sync + 'static,
{
    let state = (seal, state, Arc::new(body));
    let decision = database.write_locking(locks, state, |(seal, state, body), tx| {
        Box::pin(async move {
            let Some(seal) = seal else { return body(state, tx).await };
            match tx.claim(Some(&seal.command)).await? {
                Claim::Running => return Err(BusError::KeyInUse.into()),
                Claim::Settled(outcome) => {
                    let sealed: Result<String, UsersError> =
                        serde_json::from_str(&outcome).map_err(|error| BusError::failed(&error))?;
                    let grant = seal.open(&sealed?)?;
                    Context::current().mark_replayed();
                    return Ok(Decision::Granted(Box::new(grant)));
                }
                Claim::New => {}
            }
            let decision = body(state, tx).await?;
            match &decision {
                Decision::Granted(grant) => {
                    let outcome = Ok::<_, UsersError>(seal.close(grant)?);
                    tx.settle(&seal.command.id, &outcome)?;
                }
                Decision::Refused => tx.forget(&seal.command.id).await?,
            }
            Ok(decision)
        })
    });
    match decision.await? {
        Decision::Granted(grant) => Ok(*grant),
        Decision::Refused => Err(UsersError::InvalidCredentials),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bus::{Role, Timestamp};
    use users_ports::User;
    use uuid::Uuid;

    fn seal(key: u8) -> Seal {
        let command = Command { id: "anonymous:1".into(), fingerprint: String::new() };
        Seal::new(&command, &[0; 32], &[key; 32])
    }

    /// Section 5.12: what is stored under an idempotency key holds no token that could be read.
    #[test]
    fn a_sealed_answer_opens_with_its_key_only() {
        let user = User {
            id: Uuid::nil().into(),
            email: "canary-7f3a@example.test".into(),
            name: "Ada".into(),
            role: Role::Customer,
            created_at: Timestamp::from_micros(0),
            version: 1,
        };
        let grant = Grant {
            session_id: Uuid::nil(),
            user,
            issued_at: Timestamp::from_micros(0),
            session_expires_at: Timestamp::from_micros(1),
            refresh_token: users_ports::new_refresh_token([9; 32]),
        };
        let sealed = seal(1).close(&grant).expect("sealed");
        assert!(!sealed.contains("crt_") && !sealed.contains("canary"));
        let opened = seal(1).open(&sealed).expect("opened");
        assert_eq!(opened.refresh_token.expose(), grant.refresh_token.expose());
        assert_ne!(seal(1).close(&grant).expect("sealed"), sealed, "no nonce twice");
        assert!(seal(2).open(&sealed).is_err());
        assert!(seal(1).open("AAAA").is_err());
        let mut other = seal(1);
        other.command.id = "anonymous:2".into();
        assert!(other.open(&sealed).is_err(), "another command's");
    }
}
