//! What trust costs a call: sealing it, checking it, and the signed answer, beside the same call without.

use async_trait::async_trait;
use bus::{BusError, Context, Headers, Sources, Transport};
use bus_trust::{Guard, Identity, Peer, Peers, Roster, Sealed};
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::{collections::BTreeMap, hint::black_box, sync::Arc};
use tokio::runtime::Builder;

/// Answers at once with what it was asked.
struct Echo;

#[async_trait]
impl Transport for Echo {
    async fn request(&self, _: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        black_box(headers);
        Ok(bytes)
    }

    fn kind(&self) -> &'static str {
        "loopback"
    }
}

fn transports() -> Vec<(&'static str, Arc<dyn Transport>)> {
    let made = |name| Arc::new(Identity::generate(name).expect("a key"));
    let (orders, inventory) = (made("orders"), made("inventory"));
    let known = |identity: &Identity| {
        let runs = vec![identity.name().to_owned()];
        (identity.name().to_owned(), Peer { keys: vec![identity.public_key()], runs, speaks_for: None })
    };
    let roster = Roster {
        peers: BTreeMap::from([known(&orders), known(&inventory)]),
        allow: BTreeMap::from([("inventory".into(), vec!["orders".into()])]),
        control: vec![],
    };
    let peers = Peers::new(roster).expect("a good roster");
    let guard = || {
        let guard = Guard::new(Arc::new(Echo), peers.clone(), Sources::system()).with_capacity(usize::MAX);
        Arc::new(guard.with_signed_answers(Arc::clone(&inventory)))
    };
    let sealed =
        |inner: Arc<dyn Transport>| Sealed::new(inner, Arc::clone(&orders), "inventory", Sources::system());
    vec![
        ("bare", Arc::new(Echo)),
        ("sealed", Arc::new(sealed(Arc::new(Echo)))),
        ("sealed_and_checked", Arc::new(sealed(guard()))),
        ("with_signed_answer", Arc::new(sealed(guard()).with_answers_from(peers.clone()))),
    ]
}

fn calls(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let headers = Context::default().to_headers();
    for size in [220, 64 * 1024] {
        let mut group = criterion.benchmark_group(format!("call_of_{size}_bytes"));
        group.throughput(Throughput::Elements(1));
        let body = Bytes::from(vec![b'x'; size]);
        for (name, transport) in transports() {
            group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                bencher.iter(|| {
                    let call = transport.request("inventory.reserve", headers.clone(), body.clone());
                    runtime.block_on(call).expect("an answer")
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, calls);
criterion_main!(benches);
