//! A namespace on the shared broker, removed with all its streams.

use bus_nats::{Nats, NatsSettings};
use bus_testkit::eventually;
use std::{
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    thread,
    time::Duration,
};
use tokio::time::{Instant, timeout};

/// Far longer than any state needs to come about, on a busy machine too.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Asserts that it holds all the while: what must not happen can only be waited for.
pub(crate) async fn holds(what: &str, during: Duration, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    eventually(what, during + SOON, async || {
        assert!(condition(), "{what}");
        begun.elapsed() > during
    })
    .await;
}

pub(crate) struct Scratch {
    pub(crate) url: String,
    pub(crate) namespace: String,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self::on(std::env::var("TEST_NATS_URL").expect("TEST_NATS_URL names a NATS server with JetStream"))
    }

    /// On a server of the test's own.
    pub(crate) fn on(url: String) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let now = bus::Sources::system().now().micros();
        let namespace = format!("test-{now}-{}-{}", std::process::id(), NEXT.fetch_add(1, SeqCst));
        Self { url, namespace }
    }

    pub(crate) fn settings(&self) -> NatsSettings {
        NatsSettings { stream_bytes: 8 << 20, ..NatsSettings::new(&self.url, &self.namespace) }
    }

    /// A connection as a process has one.
    pub(crate) async fn connect(&self) -> Nats {
        self.connect_with(self.settings()).await
    }

    pub(crate) async fn connect_with(&self, settings: NatsSettings) -> Nats {
        let nats = Nats::connect(settings).await.expect("good settings");
        timeout(SOON, nats.connected()).await.expect("the broker is there");
        nats
    }

    /// The broker as those who know nothing of this adapter see it.
    pub(crate) async fn bare(&self) -> async_nats::Client {
        async_nats::connect(&self.url).await.expect("the broker is there")
    }

    pub(crate) fn stream(&self, module: &str) -> String {
        format!("{}_events_{module}", self.namespace)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let (url, prefix) = (self.url.clone(), self.stream(""));
        // The test's own runtime may be about to end.
        let cleaned = thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let cleaned = runtime.block_on(async { timeout(SOON, clean(&url, &prefix)).await });
            // A server of the test's own may be gone.
            if let Ok(Err(error)) = cleaned {
                tracing::debug!(%error, prefix, "streams are left behind");
            }
        });
        let _ = cleaned.join();
    }
}

async fn clean(url: &str, prefix: &str) -> Result<(), async_nats::Error> {
    let jetstream = async_nats::jetstream::new(async_nats::connect(url).await?);
    let names: Vec<String> = futures::TryStreamExt::try_collect(jetstream.stream_names()).await?;
    for name in names.iter().filter(|name| name.starts_with(prefix)) {
        jetstream.delete_stream(name).await?;
    }
    Ok(())
}
