//! Who this process is: a name, and the key pair that proves it.

use crate::{PublicKey, roster::is_name};
use aws_lc_rs::signature::{ED25519_PUBLIC_KEY_LEN, Ed25519KeyPair, KeyPair as _, Signature};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// No key file of ours is longer.
const LONGEST_FILE: u64 = 16 * 1024;

const SEED_LENGTH: usize = 32;

/// A service's name and its key pair.
pub struct Identity {
    name: String,
    pair: Ed25519KeyPair,
    public: PublicKey,
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The name would not fit into a seal.
    #[error("{0:?} is no service name: at most 64 of a-z, 0-9, - and _ are")]
    Name(String),
    /// The file could not be read or written.
    #[error("{} could not be read or written", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The private key is not private.
    #[error("{} can be read or written by everybody: chmod 600 it", path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
    },
    /// There is something else in the file.
    #[error("{} holds no Ed25519 key in PKCS#8, as PEM or base64", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
    },
    /// The library could not make or write a key.
    #[error("no key could be made")]
    Generate,
}

impl Identity {
    /// A service of this name with a new key.
    ///
    /// # Errors
    /// [`IdentityError`] where the name is none, or no key could be made.
    pub fn generate(name: &str) -> Result<Self, IdentityError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| IdentityError::Generate)?;
        Self::new(name, pair)
    }

    /// A service of this name with the key in a file: PKCS#8 as PEM or base64, or the 32 bytes of a seed as base64.
    ///
    /// # Errors
    /// [`IdentityError`], which names the file: also where others may read it.
    pub fn load(name: &str, path: impl AsRef<Path>) -> Result<Self, IdentityError> {
        let path = path.as_ref();
        let text = read(path)?;
        let pair = decode(&text).ok_or_else(|| IdentityError::Unreadable { path: path.into() })?;
        Self::new(name, pair)
    }

    /// Writes the key pair as PEM into a new file that nobody else can read.
    ///
    /// # Errors
    /// [`IdentityError::File`], also where there is a file of this name: a key is never overwritten.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), IdentityError> {
        let path = path.as_ref();
        let document = self.pair.to_pkcs8v1().map_err(|_| IdentityError::Generate)?;
        let body = Zeroizing::new(STANDARD.encode(document.as_ref()));
        let pem =
            Zeroizing::new(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", *body));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(path).and_then(|mut file| {
            file.write_all(pem.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|source| IdentityError::File { path: path.into(), source })
    }

    fn new(name: &str, pair: Ed25519KeyPair) -> Result<Self, IdentityError> {
        if !is_name(name) {
            return Err(IdentityError::Name(name.chars().take(100).collect()));
        }
        let bytes = <[u8; ED25519_PUBLIC_KEY_LEN]>::try_from(pair.public_key().as_ref()).ok();
        let public = bytes.and_then(PublicKey::from_bytes).ok_or(IdentityError::Generate)?;
        Ok(Self { name: name.to_owned(), pair, public })
    }

    /// The service's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the others need to know of it.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Signature {
        self.pair.sign(message)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("name", &self.name)
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

/// The text of a key file that is closed to others.
fn read(path: &Path) -> Result<Zeroizing<String>, IdentityError> {
    let failed = |source| IdentityError::File { path: path.into(), source };
    let file = File::open(path).map_err(failed)?;
    // Asked of the open file, so that it cannot be another one by the time it is read.
    let metadata = file.metadata().map_err(failed)?;
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o007 != 0 {
        return Err(IdentityError::Exposed { path: path.into() });
    }
    // Of its full size from the start: a string that grows leaves copies behind.
    let room = metadata.len().min(LONGEST_FILE);
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(room).unwrap_or(0) + 1));
    file.take(LONGEST_FILE).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

fn decode(text: &str) -> Option<Ed25519KeyPair> {
    let mut base64 = Zeroizing::new(String::with_capacity(text.len()));
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with("-----")) {
        base64.push_str(line);
    }
    let bytes = Zeroizing::new(STANDARD.decode(base64.as_bytes()).ok()?);
    if bytes.len() == SEED_LENGTH {
        return Ed25519KeyPair::from_seed_unchecked(&bytes).ok();
    }
    Ed25519KeyPair::from_pkcs8(&bytes).ok()
}
