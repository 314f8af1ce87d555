//! Who is who and who may do what, as settings declare it.

use crate::PublicKey;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A service signs by one key and its predecessor; more than this would only make each check dear.
const MOST_KEYS: usize = 4;

/// The services of a system, and what each of them may do. What is not listed is refused.
///
/// ```toml
/// control = ["edge"]
/// [peers.orders]
/// keys = ["Yuq3ML5Cvd_V7mQy9LzQlPPMBHChFgKBmjQUnlD5wTY"]
/// runs = ["orders"]
/// [peers.edge]
/// keys = ["gH0jl9jCNzb2yHzSBV0QQXkW2GHRCgpLPXa7hOkPAA8"]
/// [allow]
/// inventory = ["orders", "edge"]
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Roster {
    /// The services by their names.
    pub peers: BTreeMap<String, Peer>,
    /// For each module the services that may call it.
    pub allow: BTreeMap<String, Vec<String>>,
    /// The services that may move and operate modules: what goes to `<module>.control` and `<module>.operations`.
    pub control: Vec<String>,
}

/// A service as the others know it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its public keys: one, and another one while it rotates.
    pub keys: Vec<PublicKey>,
    /// The modules that it serves, and so may answer for.
    #[serde(default)]
    pub runs: Vec<String>,
    /// The modules whose events it may tell; those that it runs, unless it is said.
    #[serde(default)]
    pub speaks_for: Option<Vec<String>>,
}

/// A roster that cannot mean what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRoster {
    /// The name would not fit into a seal.
    #[error("{0:?} is no name: at most 64 of a-z, 0-9, - and _ are")]
    Name(String),
    /// Nobody could ever be this peer, or too many could.
    #[error("the peer {0} must have one to four public keys")]
    Keys(String),
    /// Two names for one key: who is it?
    #[error("the peers {0} and {1} have the same public key")]
    SameKey(String, String),
    /// Allowed, but not known.
    #[error("{list} names {peer}, which is not among the peers")]
    UnknownPeer {
        /// Where: `allow.<module>` or `control`.
        list: String,
        /// Who.
        peer: String,
    },
}

impl Roster {
    /// Whether it can be meant.
    ///
    /// # Errors
    /// [`InvalidRoster`], the first reason why not.
    pub fn check(&self) -> Result<(), InvalidRoster> {
        let mut owners = BTreeMap::new();
        for (name, peer) in &self.peers {
            let modules = peer.runs.iter().chain(peer.speaks_for.iter().flatten());
            check_names(std::iter::once(name).chain(modules))?;
            if peer.keys.is_empty() || peer.keys.len() > MOST_KEYS {
                return Err(InvalidRoster::Keys(name.clone()));
            }
            for key in peer.keys.iter().collect::<BTreeSet<_>>() {
                if let Some(owner) = owners.insert(*key, name) {
                    return Err(InvalidRoster::SameKey(owner.clone(), name.clone()));
                }
            }
        }
        check_names(self.allow.keys())?;
        let lists = self.allow.iter().map(|(module, peers)| (format!("allow.{module}"), peers));
        for (list, peers) in lists.chain([("control".to_owned(), &self.control)]) {
            if let Some(peer) = peers.iter().find(|peer| !self.peers.contains_key(*peer)) {
                return Err(InvalidRoster::UnknownPeer { list, peer: peer.clone() });
            }
        }
        Ok(())
    }
}

fn check_names<'a>(mut names: impl Iterator<Item = &'a String>) -> Result<(), InvalidRoster> {
    match names.find(|name| !is_name(name)) {
        Some(name) => Err(InvalidRoster::Name(name.chars().take(100).collect())),
        None => Ok(()),
    }
}

/// Whether a service or a module can be called this: in a seal a dot separates.
pub(crate) fn is_name(name: &str) -> bool {
    let fits = |b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    (1..=64).contains(&name.len()) && name.bytes().all(fits)
}
