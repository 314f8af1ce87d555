//! Moving modules between processes at run time: what is asked of the other side, this side's own part, the files.

mod interrupted;
mod moves;
mod other;
mod port;
mod serving;
mod stores;

pub(crate) use moves::{Arrived, Destination};
pub(crate) use port::{ProcessError, ProcessPort};
pub(crate) use serving::Serving;
pub(crate) use stores::{file, urls as databases};
