//! Where modules have been moved to, beyond the next start: the settings say where they begin.

use super::{StartError, target::Target};
use bus::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

const FILE: &str = "placement.json";

/// What became of a module that was moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(crate) enum Moved {
    /// It was taken over by this process.
    Here,
    /// It is on its way there, and may have arrived or not: whoever starts has to ask.
    Leaving {
        /// Where to.
        to: Target,
        /// When the other side would no longer take it up.
        until: Timestamp,
    },
    /// It is on its way back from there, which may have given it back or not: whoever starts has to ask.
    Returning {
        /// Where from.
        from: Target,
    },
    /// Its files are on their way here, and nobody is to work with them yet.
    Arriving,
    /// It is there.
    There {
        /// Where.
        to: Target,
    },
    /// It was given back; this process stands by.
    GivenBack,
    /// It was to come here, and its process has thought better of it.
    CalledOff {
        /// Requests up to this one are not carried out any more.
        until: Timestamp,
    },
}

/// The record, as it is on the disk.
pub(crate) struct Record {
    path: PathBuf,
    moved: Mutex<BTreeMap<String, Moved>>,
}

impl Record {
    /// Reads the record of this data directory.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, StartError> {
        let path = data_dir.join(FILE);
        let moved = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| StartError::Module {
                module: "placement",
                reason: format!("{} is not readable: {error}", path.display()),
            })?,
            Err(_) => BTreeMap::new(),
        };
        Ok(Self { path, moved: Mutex::new(moved) })
    }

    pub(crate) fn of(&self, module: &str) -> Option<Moved> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner).get(module).cloned()
    }

    /// Writes down what has become of a module; `None` where the settings are right again. On the disk when this
    /// returns.
    pub(crate) fn note(&self, module: &str, moved: Option<Moved>) -> std::io::Result<()> {
        let mut all = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        match moved {
            Some(moved) => drop(all.insert(module.to_owned(), moved)),
            None => drop(all.remove(module)),
        }
        let next = self.path.with_extension("json.new");
        let mut file = std::fs::File::create(&next)?;
        file.write_all(&serde_json::to_vec_pretty(&*all)?)?;
        file.sync_all()?;
        std::fs::rename(&next, &self.path)?;
        // The name is on the disk when its directory is.
        std::fs::File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_there_after_a_restart() {
        let directory = tempfile::tempdir().expect("a directory");
        let record = Record::open(directory.path()).expect("opens");
        assert_eq!(record.of("inventory"), None);
        let there = Moved::There { to: "http://127.0.0.1:9".parse().expect("a target") };
        record.note("inventory", Some(there.clone())).expect("noted");
        record.note("orders", Some(Moved::Here)).expect("noted");
        let record = Record::open(directory.path()).expect("opens");
        assert_eq!((record.of("inventory"), record.of("orders")), (Some(there), Some(Moved::Here)));
        record.note("inventory", None).expect("noted");
        assert_eq!(Record::open(directory.path()).expect("opens").of("inventory"), None);
        std::fs::write(directory.path().join(FILE), "{").expect("written");
        assert!(Record::open(directory.path()).is_err(), "a torn record is not taken for an empty one");
    }
}
