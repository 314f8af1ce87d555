//! What a remote adapter writes: bytes and headers there and back. It never sees a port.

use crate::{BusError, Headers};
use async_trait::async_trait;
use bytes::Bytes;

/// Carries bytes under a stable name to whatever answers them: the calling half of an adapter, and as
/// [`Endpoints`](crate::Endpoints) also what its serving half answers with.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Sends a request by its stable name (`inventory.reserve`) and gives back the bytes that answered it.
    /// Dropping the future gives the call up; nothing of it may stay behind.
    ///
    /// # Errors
    /// [`BusError`] where no answer came; the serving side's own [`BusError`] as the same value.
    async fn request(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError>;

    /// Hands a batch of events to a module's inbox by its name (`inventory.inbox`) and gives back the bytes of the
    /// receipts: the answer of the inbox, never a broker's acknowledgement. A broker keeps the batch for a module
    /// that is not there; whoever sends repeats it until it has the receipts, and the inbox knows what it has.
    ///
    /// # Errors
    /// [`BusError`] where the receipts did not come: send all of it again.
    async fn deliver(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        self.request(name, headers, bytes).await
    }

    /// What kind of transport this is, for people: `loopback`, `http`, `nats`, `amqp`.
    fn kind(&self) -> &'static str;
}

/// The serving half of an adapter, for the modules that this process serves. It is made with what answers (an
/// `Arc<dyn Transport>`) and hears of modules as they come and go.
#[async_trait]
pub trait Listener: Send + Sync + 'static {
    /// Takes a module's calls, events and operations from now on. Again for a module that is open: nothing.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] where they cannot be taken; the cause is in the log.
    async fn open(&self, module: &str) -> Result<(), BusError>;

    /// Takes nothing more for a module; returns when what was taken has been answered. What a broker had handed
    /// over and is not begun is left to whoever serves the module next: never refused, never lost.
    async fn close(&self, module: &str);

    /// Whether it can take anything now; a broker that is away makes it say no.
    fn is_ready(&self) -> bool;

    /// What kind of transport this is, for people: `http`, `nats`, `amqp`.
    fn kind(&self) -> &'static str;
}
