//! Who is believed: this process's key, and the roster that the settings declare.

use crate::{
    modules::StartError,
    settings::{MODULES, Settings, WireSection},
};
use bus::{Sources, Transport};
use bus_trust::{Guard, Identity, Peer, Peers, Roster, Sealed};
use std::sync::Arc;

/// The pseudo-module that every process answers for: what moves modules.
pub(crate) const PROCESS: &str = "process";

/// Signs what goes out and checks what comes in.
#[derive(Clone)]
pub(crate) struct Trust {
    identity: Arc<Identity>,
    peers: Peers,
}

impl Trust {
    /// With this process's key and the peers of the settings; `None` where there is no key.
    pub(crate) fn from(settings: &WireSection) -> Result<Option<Self>, StartError> {
        let Some(file) = &settings.key_file else { return Ok(None) };
        let wrong = |text: String| StartError::Wire(format!("wire.{text}"));
        let identity = Identity::load(&settings.name, file)
            .map_err(|error| wrong(format!("key_file: {}", crate::chain(&error))))?;
        let peers = Peers::new(roster(settings, &identity).map_err(&wrong)?)
            .map_err(|error| wrong(format!("peers: {error}")))?;
        Ok(Some(Self { identity: Arc::new(identity), peers }))
    }

    /// Guards what this process answers to others.
    pub(crate) fn guard(
        &self,
        answers: Arc<dyn Transport>,
        settings: &Settings,
        sources: &Sources,
    ) -> Arc<dyn Transport> {
        let guard = Guard::new(answers, self.peers.clone(), sources.clone())
            .with_tolerance(settings.wire.clock_tolerance.0)
            .with_signed_answers(Arc::clone(&self.identity));
        Arc::new(guard)
    }

    /// Signs what goes to a module of another process, and believes answers of those only that serve it.
    pub(crate) fn seal(
        &self,
        way: Arc<dyn Transport>,
        audience: &str,
        sources: &Sources,
    ) -> Arc<dyn Transport> {
        let sealed = Sealed::new(way, Arc::clone(&self.identity), audience, sources.clone());
        Arc::new(sealed.with_answers_from(self.peers.clone()))
    }
}

fn roster(settings: &WireSection, own: &Identity) -> Result<Roster, String> {
    let mut roster = Roster::default();
    // What this process sends over a broker may come back to it, or to one that shares its name and key.
    let all: Vec<String> =
        MODULES.into_iter().chain(["sandbox", PROCESS, &settings.name]).map(str::to_owned).collect();
    for module in &all {
        roster.allow.entry(module.clone()).or_default().push(settings.name.clone());
    }
    roster.control.push(settings.name.clone());
    let myself = Peer { keys: vec![own.public_key()], runs: all.clone(), speaks_for: Some(all) };
    roster.peers.insert(settings.name.clone(), myself);
    for (name, peer) in &settings.peers {
        let keys = peer.keys.iter().map(|key| key.parse()).collect::<Result<Vec<_>, _>>();
        let keys = keys.map_err(|error| format!("peers.{name}.keys: {error}"))?;
        if *name == settings.name {
            // One file may serve all processes; what it says of this one has to fit.
            match keys.contains(&own.public_key()) {
                true => continue,
                false => return Err(format!("peers.{name} is this process itself, and has another key")),
            }
        }
        // Who serves payments serves the sandbox's pages, and everybody answers for itself.
        let own = [PROCESS.to_owned(), name.clone()];
        let sandbox = |modules: &[String]| {
            modules.iter().any(|module| module == "payments").then(|| "sandbox".to_owned())
        };
        let runs = peer.modules.iter().cloned().chain(sandbox(&peer.modules)).chain(own).collect();
        let speaks_for = Some(peer.modules.clone());
        roster.peers.insert(name.clone(), Peer { keys, runs, speaks_for });
        for module in peer.calls.iter().cloned().chain(sandbox(&peer.calls)) {
            roster.allow.entry(module).or_default().push(name.clone());
        }
        if peer.control {
            roster.control.push(name.clone());
            for process in [PROCESS, settings.name.as_str()] {
                roster.allow.entry(process.to_owned()).or_default().push(name.clone());
            }
        }
    }
    Ok(roster)
}
