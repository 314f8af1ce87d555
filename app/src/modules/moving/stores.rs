//! A module's databases, and the files of those that are files: told apart, put aside, carried over.

use super::port::{FileIdentity, PIECE, Parcel, ProcessError, Store, StoreKind};
use crate::settings::{Settings, SettingsError};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// The databases of a module, by their names: URL after URL.
pub(crate) fn urls(settings: &Settings, module: &str) -> Result<Vec<(String, String)>, SettingsError> {
    let mut urls = vec![(module.to_owned(), settings.database_url(module)?)];
    if module == "payments" {
        urls.push(("sandbox".into(), settings.sandbox_url()));
    }
    Ok(urls)
}

/// The same as another process can compare them with its own.
pub(super) fn stores(settings: &Settings, module: &str) -> Result<Vec<Store>, SettingsError> {
    let store = |(name, url): (String, String)| {
        let kind = match file(&url) {
            Some(path) => StoreKind::Sqlite { file: identity(&path) },
            None => StoreKind::Postgres { place: place(&url) },
        };
        Store { name, kind }
    };
    Ok(urls(settings, module)?.into_iter().map(store).collect())
}

/// The file of a SQLite database.
pub(crate) fn file(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    Some(path.split('?').next().unwrap_or(path).into())
}

fn identity(path: &Path) -> Option<FileIdentity> {
    let about = fs::metadata(path).ok()?;
    let machine = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(FileIdentity { machine: machine.trim().to_owned(), device: about.dev(), inode: about.ino() })
}

/// Where a PostgreSQL database is, without who may look: host, port and name, digested.
fn place(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split('?').next().unwrap_or(rest);
    let (authority, name) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or_default().replace("localhost", "127.0.0.1");
    let host = if host.contains(':') { host } else { format!("{host}:5432") };
    hex(&Sha256::digest(format!("{host}/{name}")))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Where a file is put that has been handed over: kept, and never started on by mistake.
pub(super) fn put_aside(path: &Path) -> PathBuf {
    beside(path, ".moved")
}

/// Whether a database's last changes are in a log beside its file, since whoever had it open was killed.
pub(super) fn has_log(path: &Path) -> bool {
    beside(path, "-wal").exists()
}

/// Puts a closed database's file aside.
pub(super) fn aside(path: &Path) -> Result<(), ProcessError> {
    if has_log(path) {
        return Err(ProcessError::Refused(format!("{} was not closed well", path.display())));
    }
    fs::rename(path, put_aside(path)).map_err(|error| failed(path, &error))
}

/// Puts it back into its place, where it is not.
pub(super) fn back(path: &Path) -> Result<(), ProcessError> {
    if !path.exists() && put_aside(path).exists() {
        fs::rename(put_aside(path), path).map_err(|error| failed(path, &error))?;
    }
    Ok(())
}

/// What is to be carried over.
pub(super) fn parcel(name: &str, path: &Path) -> Result<Parcel, ProcessError> {
    let digested = || -> io::Result<Parcel> {
        let (mut file, mut hash, mut buffer, mut length) =
            (File::open(path)?, Sha256::new(), vec![0; PIECE], 0);
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                return Ok(Parcel { name: name.to_owned(), length, digest: hex(&hash.finalize()) });
            }
            hash.update(&buffer[..read]);
            length += read as u64;
        }
    };
    digested().map_err(|error| failed(path, &error))
}

/// A piece of a file in base64; empty past its end.
pub(super) fn piece(path: &Path, offset: u64) -> Result<String, ProcessError> {
    let read = || -> io::Result<String> {
        let (file, mut buffer, mut length) = (File::open(path)?, vec![0; PIECE], 0);
        while length < PIECE {
            match file.read_at(&mut buffer[length..], offset + length as u64)? {
                0 => break,
                read => length += read,
            }
        }
        Ok(STANDARD.encode(&buffer[..length]))
    };
    read().map_err(|error| failed(path, &error))
}

/// Takes a piece of a file that arrives. From the start it is a new file, whatever had arrived before.
pub(super) fn put(path: &Path, offset: u64, piece: &str) -> Result<(), ProcessError> {
    let bytes = STANDARD.decode(piece).map_err(|error| ProcessError::refused(&error))?;
    let arriving = beside(path, ".arriving");
    let written = || -> io::Result<()> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let mut file =
            OpenOptions::new().create(true).write(true).truncate(offset == 0).mode(0o600).open(&arriving)?;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(&bytes)
    };
    written().map_err(|error| failed(path, &error))
}

/// Checks that what has arrived is what was sent, and puts it into its place, on the disk.
pub(super) fn accept(path: &Path, sent: &Parcel) -> Result<(), ProcessError> {
    let arriving = beside(path, ".arriving");
    if parcel(&sent.name, &arriving)? != *sent {
        return Err(ProcessError::Refused(format!("what arrived of {} is not what was sent", sent.name)));
    }
    let placed = || -> io::Result<()> {
        File::open(&arriving)?.sync_all()?;
        for log in ["-wal", "-shm"] {
            // Of another file of that name, long ago.
            match fs::remove_file(beside(path, log)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&arriving, path)?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    placed().map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &io::Error) -> ProcessError {
    ProcessError::Refused(format!("{}: {error}", path.display()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_carried_over_whole_or_not_at_all() {
        let directory = tempfile::tempdir().expect("a directory");
        let (from, to) = (directory.path().join("from.db"), directory.path().join("new/to.db"));
        let bytes: Vec<u8> = (0..PIECE * 2 + 77).map(|i| u8::try_from(i % 251).expect("small")).collect();
        fs::write(&from, &bytes).expect("written");
        let sent = parcel("inventory", &from).expect("readable");
        // A carriage that was broken off is begun anew.
        put(&to, 0, &STANDARD.encode([9; PIECE])).expect("taken");
        put(&to, PIECE as u64, &STANDARD.encode([9; 3])).expect("taken");
        assert!(accept(&to, &sent).is_err(), "another file");
        let mut offset = 0;
        loop {
            let piece = piece(&from, offset).expect("readable");
            if piece.is_empty() {
                break;
            }
            put(&to, offset, &piece).expect("taken");
            offset += PIECE as u64;
        }
        assert!(!to.exists());
        fs::write(beside(&to, "-wal"), "of long ago").expect("written");
        accept(&to, &sent).expect("the same");
        assert_eq!(fs::read(&to).expect("there"), bytes);
        assert!(!beside(&to, "-wal").exists());
    }

    #[test]
    fn what_was_handed_over_is_out_of_the_way_and_comes_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.db");
        fs::write(&path, "rows").expect("written");
        aside(&path).expect("renamed");
        assert!(!path.exists());
        back(&path).expect("renamed");
        back(&path).expect("nothing to do");
        assert_eq!(fs::read_to_string(&path).expect("there"), "rows");
        fs::write(beside(&path, "-wal"), "not closed").expect("written");
        assert!(aside(&path).is_err());
    }

    #[test]
    fn a_place_is_the_same_however_it_is_written_and_tells_no_password() {
        let same =
            ["postgres://a:secret@localhost/shop", "postgresql://b@127.0.0.1:5432/shop?sslmode=disable"];
        assert_eq!(place(same[0]), place(same[1]));
        assert_ne!(place(same[0]), place("postgres://a:secret@localhost/other"));
        assert_eq!(place(same[0]).len(), 64);
    }
}
