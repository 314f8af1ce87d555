//! What one process asks of another when a module moves between them: the port of the process itself.

use bus::{BusError, ErrorKind, PortError, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How many bytes of a file travel at once: in base64 well below what a broker takes.
pub(super) const PIECE: usize = 256 * 1024;

/// What do you have of this module, and do you reach its data?
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Describe {
    pub(crate) module: String,
    /// Left in the module's PostgreSQL database by who asks.
    pub(crate) mark: Option<Uuid>,
    /// The module's databases, as who asks has them.
    pub(crate) stores: Vec<Store>,
}

/// One of a module's databases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Store {
    /// `inventory`, `sandbox`.
    pub(crate) name: String,
    pub(crate) kind: StoreKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(crate) enum StoreKind {
    /// A file, which is the same on one machine where these are the same. No identity: it is not there yet.
    Sqlite { file: Option<FileIdentity> },
    /// Somewhere else; a digest of where.
    Postgres { place: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileIdentity {
    /// The machine, since its last boot.
    pub(crate) machine: String,
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

/// A process and what it has of a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Description {
    /// Its `wire.name`.
    pub(crate) process: String,
    /// The program's version.
    pub(crate) version: String,
    /// Whether the module's implementation is compiled in.
    pub(crate) is_able: bool,
    /// Whether it serves the module now.
    pub(crate) serves: bool,
    /// The requests of the module's port and the events that it takes, by their names.
    pub(crate) speaks: Vec<String>,
    /// The ports that the module calls, and that are nowhere to be found from there.
    pub(crate) missing: Vec<String>,
    /// Its databases, in the order of the question.
    pub(crate) data: Vec<Data>,
}

/// What a process has where another has a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(crate) enum Data {
    /// The same database.
    Same,
    /// A place for a file, and none there.
    Nothing,
    /// Another one.
    Other { why: String },
}

/// Takes a module up: opens its databases, serves it, and does so after a restart as well.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TakeUp {
    pub(crate) module: String,
    /// Later than this it is refused: whoever asked may have given it up by then, and taken the module back.
    pub(crate) until: Timestamp,
}

/// Takes a request to take a module up back: what has not been carried out by now never will be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CallOff {
    pub(crate) module: String,
    /// That of the request.
    pub(crate) until: Timestamp,
}

/// Finishes what runs, lays the module down and closes its databases.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct GiveBack {
    pub(crate) module: String,
    /// Whether who asks will fetch the files: they are put aside then, so that nobody starts on what is out of date.
    pub(crate) files_are_fetched: bool,
}

/// A file on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parcel {
    /// `inventory`, `sandbox`.
    pub(crate) name: String,
    /// In bytes.
    pub(crate) length: u64,
    /// SHA-256, in hex.
    pub(crate) digest: String,
}

/// Takes a piece of a file for a module that is not here yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PutPiece {
    pub(crate) module: String,
    pub(crate) name: String,
    pub(crate) offset: u64,
    /// In base64.
    pub(crate) piece: String,
}

/// Checks that a file is whole and puts it into its place.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Accept {
    pub(crate) module: String,
    pub(crate) parcel: Parcel,
}

/// Asks for a piece of a file that was put aside.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct GetPiece {
    pub(crate) module: String,
    pub(crate) name: String,
    pub(crate) offset: u64,
}

/// Why a process does not do its part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProcessError {
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Unavailable(#[from] BusError),
}

impl PortError for ProcessError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused(_) => ErrorKind::Conflict,
            Self::Unavailable(error) => error.kind(),
        }
    }

    fn bus(&self) -> Option<&BusError> {
        match self {
            Self::Refused(_) => None,
            Self::Unavailable(error) => Some(error),
        }
    }
}

impl ProcessError {
    pub(crate) fn refused(why: &dyn std::fmt::Display) -> Self {
        Self::Refused(why.to_string())
    }
}

bus::port! {
    /// One process of the shop, as the others see it when a module moves.
    "process" pub(crate) trait ProcessPort {
        #[query]
        /// What it has of a module.
        async fn describe(&self, request: Describe) -> Result<Description, ProcessError>;
        #[command]
        /// Serves a module from now on; again for one that it serves: nothing.
        async fn take_up(&self, request: TakeUp) -> Result<(), ProcessError>;
        #[command]
        /// Does not take a module up any more; whether it has, and serves it.
        async fn call_off(&self, request: CallOff) -> Result<bool, ProcessError>;
        #[command]
        /// Serves a module no longer; its files, where they are to be fetched.
        async fn give_back(&self, request: GiveBack) -> Result<Vec<Parcel>, ProcessError>;
        #[command]
        /// Takes a piece of a file.
        async fn put_piece(&self, request: PutPiece) -> Result<(), ProcessError>;
        #[command]
        /// Takes a file for whole.
        async fn accept(&self, request: Accept) -> Result<(), ProcessError>;
        #[query]
        /// A piece of a file in base64; empty past its end.
        async fn get_piece(&self, request: GetPiece) -> Result<String, ProcessError>;
    }
}
