//! Who calls: requests between processes are signed by the service that sends them and checked by the one that serves.
#![warn(missing_docs)]
