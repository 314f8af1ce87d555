//! The Ed25519 keys that sign access tokens: made at the first start, kept in the module's database, replaced in turn.
//!
//! A key is active from its making: published, and signing until the next one supersedes it. A superseded key is still
//! published until the last token it signed has expired, then it is retired: no longer published, its private half
//! wiped. So a verifier that fetches the keys when it meets a new one never refuses a token that is good.

use crate::tokens;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bus::{BusError, Timestamp};
use bus_durable::{Database, Tx};
use jsonwebtoken::EncodingKey;
use sha2::{Digest as _, Sha256};
use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use users_ports::{Jwk, Jwks};
use zeroize::Zeroizing;

/// How often a process looks whether another one has made a new key.
pub(crate) const RELOAD: Duration = Duration::from_secs(30);

const LOCK: &str = "signing_keys";

/// How a new key takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// Tokens of the old key are good until they expire.
    Gradual,
    /// The old keys are known to somebody: their tokens are worth nothing from now on.
    AtOnce,
}

/// A key that signs.
pub(crate) struct SigningKey {
    pub(crate) kid: String,
    pub(crate) private: EncodingKey,
    /// As in the JWK: `x`.
    pub(crate) public: String,
    created_at: Timestamp,
}

/// A key as it is stored.
struct Material {
    kid: String,
    private: Zeroizing<String>,
    public: String,
}

impl Material {
    fn generate() -> Result<Self, BusError> {
        let failed = |_| BusError::failed(&"no signing key could be made");
        let pair = Ed25519KeyPair::generate().map_err(failed)?;
        let private = pair.to_pkcs8().map_err(failed)?;
        let public = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        // RFC 7638: the required members in lexical order, hashed.
        let thumbprint = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{public}"}}"#);
        let kid = URL_SAFE_NO_PAD.encode(Sha256::digest(thumbprint));
        Ok(Self { kid, private: Zeroizing::new(STANDARD.encode(private.as_ref())), public })
    }
}

/// The module's keys, and the one that signs in hand.
pub(crate) struct Keys {
    database: Database,
    rotation: Duration,
    /// How long a superseded key is still published.
    grace: Duration,
    current: RwLock<Arc<SigningKey>>,
}

impl Keys {
    /// Loads the key that signs, or makes the first; signs and verifies with it once.
    pub(crate) async fn start(
        database: Database,
        rotation: Duration,
        token_ttl: Duration,
    ) -> Result<Self, BusError> {
        let current = match load(&database).await? {
            Some(key) => key,
            None => {
                // Another process may be faster: then its key is there, and this one is dropped.
                first(&database, Material::generate()?).await?;
                load(&database).await?.ok_or_else(|| BusError::failed(&"there is no signing key"))?
            }
        };
        tokens::prove(&current)?;
        let current = RwLock::new(Arc::new(current));
        // Other processes sign with the old key until they have looked.
        Ok(Self { database, rotation, grace: token_ttl + 2 * RELOAD, current })
    }

    /// The key that signs.
    pub(crate) fn current(&self) -> Arc<SigningKey> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The public halves of the active keys, newest first.
    pub(crate) async fn published(&self) -> Result<Jwks, BusError> {
        let sql =
            "SELECT kid, public_key FROM signing_key WHERE state = 'active' ORDER BY created_at DESC, kid";
        let rows = self.database.reader().rows(sql, []).await?;
        let jwk = |row: bus_durable::Row| {
            Ok(Jwk {
                kty: "OKP".into(),
                crv: "Ed25519".into(),
                x: row.get("public_key")?,
                kid: row.get("kid")?,
                alg: "EdDSA".into(),
                purpose: "sig".into(),
            })
        };
        Ok(Jwks { keys: rows.into_iter().map(jwk).collect::<Result<_, BusError>>()? })
    }

    /// Lets a new key take over.
    pub(crate) async fn rotate(&self, rotation: Rotation) -> Result<(), BusError> {
        self.supersede(None, rotation).await
    }

    /// Does what time has made due: a new key, the end of old ones; and takes over what other processes did.
    pub(crate) async fn sweep(&self) -> Result<(), BusError> {
        let now = self.database.sources().now();
        let current = self.current();
        if current.created_at.after(self.rotation) <= now {
            self.supersede(Some(current.kid.clone()), Rotation::Gradual).await?;
        }
        let retired = now.before(self.grace).micros();
        let due = "SELECT 1 AS due FROM signing_key WHERE state = 'active' AND superseded_at <= $1";
        if self.database.reader().row(due, [retired.into()]).await?.is_some() {
            self.database
                .write(retired, |retired, tx| {
                    let sql = "UPDATE signing_key SET state = 'retired', private_key = NULL \
                               WHERE state = 'active' AND superseded_at <= $1";
                    Box::pin(async move { tx.execute(sql, [(*retired).into()]).await.map(|_| ()) })
                })
                .await?;
        }
        self.reload().await
    }

    /// Makes a new key in place of `expected`, or of whichever signs; nothing where another has done it.
    async fn supersede(&self, expected: Option<String>, rotation: Rotation) -> Result<(), BusError> {
        let state = (Material::generate()?, expected, rotation);
        self.database
            .write_locking(vec![LOCK.into()], state, |(material, expected, rotation), tx| {
                Box::pin(async move {
                    let sql = "SELECT kid FROM signing_key WHERE state = 'active' AND superseded_at IS NULL";
                    let signing = tx.row(sql, []).await?.map(|row| row.get::<String>("kid")).transpose()?;
                    if expected.is_some() && signing != *expected {
                        return Ok(());
                    }
                    let now = tx.now().micros();
                    let sql = match rotation {
                        Rotation::Gradual => {
                            "UPDATE signing_key SET superseded_at = $1 \
                             WHERE state = 'active' AND superseded_at IS NULL"
                        }
                        Rotation::AtOnce => {
                            "UPDATE signing_key SET superseded_at = $1, state = 'retired', private_key = NULL \
                             WHERE state = 'active'"
                        }
                    };
                    tx.execute(sql, [now.into()]).await?;
                    insert(material, tx).await
                })
            })
            .await?;
        self.reload().await
    }

    async fn reload(&self) -> Result<(), BusError> {
        let loaded =
            load(&self.database).await?.ok_or_else(|| BusError::failed(&"there is no signing key"))?;
        if loaded.kid != self.current().kid {
            tokens::prove(&loaded)?;
            tracing::info!(kid = loaded.kid, "another key signs access tokens");
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
        }
        Ok(())
    }
}

async fn first(database: &Database, material: Material) -> Result<(), BusError> {
    database
        .write_locking(vec![LOCK.into()], material, |material, tx| {
            Box::pin(async move {
                let sql =
                    "SELECT 1 AS there FROM signing_key WHERE state = 'active' AND superseded_at IS NULL";
                if tx.row(sql, []).await?.is_some() {
                    return Ok(());
                }
                insert(material, tx).await
            })
        })
        .await
}

async fn insert(material: &Material, tx: &Tx<'_>) -> Result<(), BusError> {
    let sql = "INSERT INTO signing_key (kid, private_key, public_key, state, created_at) \
               VALUES ($1, $2, $3, 'active', $4)";
    let values = [
        material.kid.as_str().into(),
        material.private.as_str().into(),
        material.public.as_str().into(),
        tx.now().micros().into(),
    ];
    tx.execute(sql, values).await.map(|_| ())
}

async fn load(database: &Database) -> Result<Option<SigningKey>, BusError> {
    let sql = "SELECT kid, private_key, public_key, created_at FROM signing_key \
               WHERE state = 'active' AND superseded_at IS NULL";
    let Some(row) = database.reader().row(sql, []).await? else { return Ok(None) };
    let private = Zeroizing::new(row.get::<String>("private_key")?);
    let der = STANDARD.decode(private.as_bytes()).map_err(|error| BusError::failed(&error))?;
    Ok(Some(SigningKey {
        kid: row.get("kid")?,
        private: EncodingKey::from_ed_der(&Zeroizing::new(der)),
        public: row.get("public_key")?,
        created_at: Timestamp::from_micros(row.get("created_at")?),
    }))
}
