//! Secrets that the program makes up for itself, kept beside the data for nobody else to read.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Others may read it, so it is none.
    #[error("{0} is readable by others; make it mode 600, or delete it to have a new one made")]
    Exposed(PathBuf),
    /// The file cannot be read or written.
    #[error("the secret in {path} cannot be read or written: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The webhook secret of this data directory, made up the first time.
///
/// # Errors
/// [`SecretError`] where others may read it, or the file cannot be read or made.
pub fn webhook_secret(data_dir: &Path) -> Result<String, SecretError> {
    let directory = data_dir.join("secrets");
    let path = directory.join("payments_webhook_secret");
    let failed = |source| SecretError::File { path: path.clone(), source };
    if !path.exists() {
        fs::create_dir_all(&directory).map_err(failed)?;
        let secret = format!("whsec_{}", STANDARD.encode(rand::random::<[u8; 32]>()));
        // Whole or not at all, and whoever is first is right: a second process reads what the first has made.
        let draft = directory.join(format!("draft-{:016x}", rand::random::<u64>()));
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(failed)?;
        file.write_all(secret.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        let made = fs::hard_link(&draft, &path);
        fs::remove_file(&draft).map_err(failed)?;
        match made {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
            _ => {}
        }
    }
    if fs::metadata(&path).map_err(failed)?.permissions().mode() & 0o077 != 0 {
        return Err(SecretError::Exposed(path));
    }
    fs::read_to_string(&path).map(|text| text.trim().to_owned()).map_err(failed)
}
