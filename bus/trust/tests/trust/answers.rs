//! Answers: signed by who runs the module, where the caller wants it.

use crate::world::World;
use async_trait::async_trait;
use bus::{BusError, Headers, Transport};
use bus_trust::{Guard, Identity, Sealed};
use bytes::Bytes;
use std::sync::{Arc, Mutex};

/// A network on which answers are held and changed.
struct Network {
    inner: Arc<dyn Transport>,
    answers: Mutex<Vec<Bytes>>,
    change: Box<dyn Fn(&Bytes) -> Bytes + Send + Sync>,
}

#[async_trait]
impl Transport for Network {
    async fn request(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        let answer = self.inner.request(name, headers, bytes).await?;
        self.answers.lock().expect("not poisoned").push(answer.clone());
        Ok((self.change)(&answer))
    }

    fn kind(&self) -> &'static str {
        "network"
    }
}

/// Orders calls inventory over a network that does this to answers, where `server` is who answers.
fn calling(
    world: &World,
    server: Option<&Arc<Identity>>,
    change: impl Fn(&Bytes) -> Bytes + Send + Sync + 'static,
) -> (Sealed, Arc<Network>) {
    let inner = Arc::clone(&world.inner) as Arc<dyn Transport>;
    let mut guard = Guard::new(inner, world.peers.clone(), world.sources());
    if let Some(server) = server {
        guard = guard.with_signed_answers(Arc::clone(server));
    }
    let network =
        Arc::new(Network { inner: Arc::new(guard), answers: Mutex::default(), change: Box::new(change) });
    let carrier = Arc::clone(&network) as Arc<dyn Transport>;
    let sealed = Sealed::new(carrier, Arc::clone(&world.orders), "inventory", world.sources());
    (sealed.with_answers_from(world.peers.clone()), network)
}

async fn ask(sealed: &Sealed, bytes: &'static [u8]) -> Result<Bytes, BusError> {
    sealed.request("inventory.stock", Headers::new(), Bytes::from_static(bytes)).await
}

fn not_trusted() -> BusError {
    BusError::NotTrusted { name: "inventory.stock".into() }
}

/// 12.3.5: each side knows the other.
#[tokio::test]
async fn a_signed_answer_arrives_as_it_was_given() {
    let world = World::new();
    let (sealed, network) = calling(&world, Some(&world.inventory), Bytes::clone);
    for body in [&b""[..], b"{\"ok\":1}", b"\n", b"a\nb.c\n", b"\xff\0"] {
        assert_eq!(ask(&sealed, body).await, Ok(Bytes::from_static(body)));
        assert_eq!(sealed.deliver("inventory.stock", Headers::new(), body.into()).await, Ok(body.into()));
    }
    let on_the_wire = network.answers.lock().expect("not poisoned")[2].clone();
    assert!(on_the_wire.starts_with(b"{\"ok\":1}\ninventory."), "{on_the_wire:?}");
}

#[tokio::test]
async fn an_answer_that_was_changed_is_refused() {
    let world = World::new();
    let length = {
        let (sealed, network) = calling(&world, Some(&world.inventory), Bytes::clone);
        ask(&sealed, b"{\"ok\":1}").await.expect("an answer");
        network.answers.lock().expect("not poisoned")[0].len()
    };
    for at in 0..length {
        let flip = move |answer: &Bytes| {
            let mut changed = answer.to_vec();
            changed[at] ^= 1;
            changed.into()
        };
        let (sealed, _) = calling(&world, Some(&world.inventory), flip);
        assert_eq!(ask(&sealed, b"{\"ok\":1}").await, Err(not_trusted()), "byte {at}");
    }
    for cut in
        [|_: &Bytes| Bytes::new(), |answer: &Bytes| answer.slice(..8), |answer: &Bytes| answer.slice(9..)]
    {
        let (sealed, _) = calling(&world, Some(&world.inventory), cut);
        assert_eq!(ask(&sealed, b"{\"ok\":1}").await, Err(not_trusted()));
    }
}

/// Whoever answers must run the module, and be known.
#[tokio::test]
async fn an_answer_of_somebody_else_is_refused() {
    let world = World::new();
    let impostor = Arc::new(Identity::generate("inventory").expect("a key"));
    let stranger = Arc::new(Identity::generate("stranger").expect("a key"));
    for server in [None, Some(&world.payments), Some(&impostor), Some(&stranger)] {
        let (sealed, _) = calling(&world, server, Bytes::clone);
        assert_eq!(ask(&sealed, b"{}").await, Err(not_trusted()), "{server:?}");
    }
}

/// An answer fits the call that it was given to, also where the question is the same.
#[tokio::test]
async fn an_answer_to_another_call_is_refused() {
    let world = World::new();
    let (sealed, network) = calling(&world, Some(&world.inventory), Bytes::clone);
    ask(&sealed, b"{}").await.expect("an answer");
    let earlier = network.answers.lock().expect("not poisoned")[0].clone();
    let (sealed, _) = calling(&world, Some(&world.inventory), move |_| earlier.clone());
    assert_eq!(ask(&sealed, b"{}").await, Err(not_trusted()));
}

/// Whoever does not ask for a signature gets the bare answer; an error is the same value either way.
#[tokio::test]
async fn plain_answers_and_errors_stay_as_they_are() {
    let world =
        World::with(|guard| guard.with_signed_answers(Arc::new(Identity::generate("x").expect("a key"))));
    world.taken(&world.reserve().await).await;

    struct Failing;
    #[async_trait]
    impl Transport for Failing {
        async fn request(&self, _: &str, _: Headers, _: Bytes) -> Result<Bytes, BusError> {
            Err(BusError::KeyInUse)
        }
        fn kind(&self) -> &'static str {
            "loopback"
        }
    }
    let guard = Guard::new(Arc::new(Failing), world.peers.clone(), world.sources());
    let guard = guard.with_signed_answers(Arc::clone(&world.inventory));
    let sealed = Sealed::new(Arc::new(guard), Arc::clone(&world.orders), "inventory", world.sources());
    assert_eq!(ask(&sealed.with_answers_from(world.peers.clone()), b"").await, Err(BusError::KeyInUse));
}
