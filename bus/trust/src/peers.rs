//! The roster in force: keys parsed once, questions answered by a look, replaced while calls run.

use crate::{InvalidRoster, Roster};
use arc_swap::ArcSwap;
use aws_lc_rs::signature::ParsedPublicKey;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

/// The peers that a process knows. Cheap to clone; every clone is the same.
#[derive(Clone)]
pub struct Peers(Arc<ArcSwap<Known>>);

/// One state of the roster.
#[derive(Default)]
pub(crate) struct Known {
    peers: BTreeMap<String, KnownPeer>,
    allow: BTreeMap<String, BTreeSet<String>>,
    control: BTreeSet<String>,
}

pub(crate) struct KnownPeer {
    keys: Vec<ParsedPublicKey>,
    runs: BTreeSet<String>,
    speaks_for: BTreeSet<String>,
}

impl Peers {
    /// The peers of a roster.
    ///
    /// # Errors
    /// [`InvalidRoster`] where it cannot be meant.
    pub fn new(roster: Roster) -> Result<Self, InvalidRoster> {
        Ok(Self(Arc::new(ArcSwap::from_pointee(Known::new(roster)?))))
    }

    /// Another roster from the next call on.
    ///
    /// # Errors
    /// [`InvalidRoster`], and the old one stays in force.
    pub fn replace(&self, roster: Roster) -> Result<(), InvalidRoster> {
        self.0.store(Arc::new(Known::new(roster)?));
        Ok(())
    }

    pub(crate) fn known(&self) -> arc_swap::Guard<Arc<Known>> {
        self.0.load()
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.known().peers.keys()).finish()
    }
}

impl Known {
    fn new(roster: Roster) -> Result<Self, InvalidRoster> {
        roster.check()?;
        let mut peers = BTreeMap::new();
        for (name, peer) in roster.peers {
            let runs: BTreeSet<_> = peer.runs.into_iter().collect();
            let speaks_for = peer.speaks_for.map_or_else(|| runs.clone(), BTreeSet::from_iter);
            let keys = peer.keys.iter().map(crate::PublicKey::parse_point).collect::<Option<_>>();
            let keys = keys.ok_or_else(|| InvalidRoster::Keys(name.clone()))?;
            peers.insert(name, KnownPeer { keys, runs, speaks_for });
        }
        let allow = roster.allow.into_iter().map(|(module, peers)| (module, BTreeSet::from_iter(peers)));
        Ok(Self { peers, allow: allow.collect(), control: BTreeSet::from_iter(roster.control) })
    }

    pub(crate) fn peer(&self, name: &str) -> Option<&KnownPeer> {
        self.peers.get(name)
    }

    pub(crate) fn may_call(&self, peer: &str, module: &str) -> bool {
        self.allow.get(module).is_some_and(|peers| peers.contains(peer))
    }

    pub(crate) fn may_control(&self, peer: &str) -> bool {
        self.control.contains(peer)
    }
}

impl KnownPeer {
    /// Whether any of its keys made this signature.
    pub(crate) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.keys.iter().any(|key| key.verify_sig(message, signature).is_ok())
    }

    pub(crate) fn runs(&self, module: &str) -> bool {
        self.runs.contains(module)
    }

    pub(crate) fn speaks_for(&self, module: &str) -> bool {
        self.speaks_for.contains(module)
    }
}
