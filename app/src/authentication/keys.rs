//! Where the public keys come from: the users module, or for a process without one a URL or a file.

use std::{path::PathBuf, time::Duration};
use users_ports::{Jwks, SigningKeys, UsersError, UsersPort};

/// More than any set of keys has.
const LARGEST: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(2);

/// Where the public keys come from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// The users module, wherever it is.
    Users,
    /// A JWK set at this address.
    Url(String, reqwest::Client),
    /// A JWK set in this file.
    File(PathBuf),
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The setting names neither.
    #[error("users.jwks must be an http or https URL, or the path of a file")]
    Setting(#[source] Option<reqwest::Error>),
    /// Users did not say.
    #[error("users did not answer")]
    Users(#[source] UsersError),
    /// The address did not answer.
    #[error("the address did not answer")]
    Http(#[from] reqwest::Error),
    /// The file cannot be read.
    #[error("the file cannot be read")]
    File(#[from] std::io::Error),
    /// What came is no set of keys.
    #[error("what came is no JWK set")]
    Content(#[from] serde_json::Error),
    /// What came is too large to be a set of keys.
    #[error("what came is too large to be a JWK set")]
    TooLarge,
}

impl KeySource {
    /// The source that the setting `users.jwks` names; the users module where there is none.
    ///
    /// # Errors
    /// [`SourceError::Setting`] where it names nothing that can be fetched.
    pub fn from_setting(jwks: Option<&str>) -> Result<Self, SourceError> {
        let Some(text) = jwks else { return Ok(Self::Users) };
        if text.is_empty() {
            return Err(SourceError::Setting(None));
        }
        if !text.contains("://") {
            return Ok(Self::File(text.into()));
        }
        if !text.starts_with("http://") && !text.starts_with("https://") {
            return Err(SourceError::Setting(None));
        }
        // Whoever answers with a redirect could send us anywhere.
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()
            .map_err(|error| SourceError::Setting(Some(error)))?;
        Ok(Self::Url(text.into(), client))
    }

    pub(crate) async fn fetch(&self, users: &dyn UsersPort) -> Result<Jwks, SourceError> {
        match self {
            Self::Users => {
                let asked = bus::within(PATIENCE, users.signing_keys(SigningKeys {}));
                asked.await.map_err(SourceError::Users)
            }
            Self::Url(url, client) => {
                let mut response = client.get(url).send().await?.error_for_status()?;
                let mut body = Vec::new();
                while let Some(chunk) = response.chunk().await? {
                    body.extend_from_slice(&chunk);
                    if body.len() > LARGEST {
                        return Err(SourceError::TooLarge);
                    }
                }
                Self::read(&body)
            }
            Self::File(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
                Self::read(&read.map_err(std::io::Error::other)??)
            }
        }
    }

    /// Other people's sets hold other kinds of keys, with other members: those are passed over.
    fn read(bytes: &[u8]) -> Result<Jwks, SourceError> {
        if bytes.len() > LARGEST {
            return Err(SourceError::TooLarge);
        }
        #[derive(serde::Deserialize)]
        struct Set {
            keys: Vec<serde_json::Value>,
        }
        let set: Set = serde_json::from_slice(bytes)?;
        Ok(Jwks { keys: set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect() })
    }
}
