//! Asks again and again, and tells who is a member. The thin shell around `membership`.

use crate::{Instance, Members, State, Watch, membership::Membership};
use async_trait::async_trait;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

/// What can be asked for the instances of one target.
#[async_trait]
pub(crate) trait Source: Send + Sync + 'static {
    /// Asks once.
    async fn list(&self) -> Result<Listing, Silence>;
}

/// An answer.
pub(crate) struct Listing {
    pub(crate) instances: Vec<Instance>,
    /// When there may be another answer.
    pub(crate) ask_again: Duration,
}

/// There was no answer, which says nothing about the instances.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Silence(pub(crate) String);

/// How patiently a source is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// How long one question may take.
    pub(crate) answer: Duration,
    /// The pause after a question that was not answered.
    pub(crate) retry: Duration,
    /// How long an instance is missed before it is given up.
    pub(crate) dead_after: Duration,
}

/// Keeps asking for as long as somebody watches.
pub(crate) fn watch(kind: &'static str, target: &str, source: impl Source, patience: Patience) -> Watch {
    let (tell, watch) = watch::channel(Arc::default());
    drop(bus::spawn(keep_asking(Target { kind, name: target.to_owned() }, source, patience, tell)));
    watch
}

struct Target {
    kind: &'static str,
    name: String,
}

async fn keep_asking(
    target: Target,
    source: impl Source,
    patience: Patience,
    tell: watch::Sender<Arc<Members>>,
) {
    let (mut membership, mut silent) = (Membership::default(), false);
    while !tell.is_closed() {
        let answer = match timeout(patience.answer, source.list()).await {
            Ok(answer) => answer,
            Err(_) => Err(Silence("no answer in time".into())),
        };
        let pause = match answer {
            Ok(listing) => {
                membership = membership.after(listing.instances, Instant::now(), patience.dead_after);
                target.publish(&tell, membership.members());
                if std::mem::take(&mut silent) {
                    tracing::info!(target = target.name, kind = target.kind, "discovery answers again");
                }
                listing.ask_again
            }
            Err(silence) => {
                metrics::counter!("bus_discovery_failures_total", "target" => target.name.clone())
                    .increment(1);
                if !std::mem::replace(&mut silent, true) {
                    tracing::warn!(target = target.name, kind = target.kind, error = %silence,
                        "discovery does not answer: the instances stay as they were");
                }
                patience.retry
            }
        };
        // Processes that were started together should not ask together for ever.
        let pause = pause.mul_f64(rand::random_range(0.9..1.1));
        tokio::select! {
            () = tell.closed() => {}
            () = sleep(pause) => {}
        }
    }
}

impl Target {
    fn publish(&self, tell: &watch::Sender<Arc<Members>>, members: Members) {
        for state in [State::Alive, State::Leaving, State::Suspect] {
            let count = members.list.iter().filter(|member| member.state == state).count();
            metrics::gauge!("bus_instances", "target" => self.name.clone(), "state" => state.name())
                .set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
        }
        tell.send_if_modified(|known| {
            if **known == members {
                return false;
            }
            let list: Vec<_> = members
                .list
                .iter()
                .map(|it| format!("{} {}", it.instance.address, it.state.name()))
                .collect();
            tracing::info!(target = self.name, kind = self.kind, members = list.join(", "), "instances");
            *known = Arc::new(members);
            true
        });
    }
}
