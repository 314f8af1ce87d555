//! Names to byte handlers: the serving half of every remote adapter, and by itself the loopback transport.

use crate::{
    BusError, Context, Delivery, Headers, Operations, Receipt, Receive, Transport, envelope,
    serve::{BytesHandler, Served, decode, encode},
};
use async_trait::async_trait;
use bytes::Bytes;
use std::{collections::HashMap, sync::Arc};

/// What this process answers by name.
#[derive(Clone, Default)]
pub struct Endpoints {
    handlers: HashMap<String, BytesHandler>,
}

impl Endpoints {
    /// Adds a port's requests.
    #[must_use]
    pub fn with_port(mut self, served: &Served) -> Self {
        for (name, handler) in served.bytes_handlers() {
            self.handlers.insert(name.to_owned(), handler);
        }
        self
    }

    /// Adds a module's inbox.
    #[must_use]
    pub fn with_inbox(mut self, module: &str, inbox: Arc<dyn Receive>) -> Self {
        let name = inbox_name(module);
        let handler: BytesHandler = Arc::new({
            let name = Arc::<str>::from(name.as_str());
            move |context: Context, bytes: Bytes| {
                let (inbox, name) = (Arc::clone(&inbox), Arc::clone(&name));
                Box::pin(context.scope(async move { take(inbox, &name, bytes).await }))
            }
        });
        self.handlers.insert(name, handler);
        self
    }

    /// Adds what operates a module.
    #[must_use]
    pub fn with_operations(mut self, module: &str, operations: Arc<dyn Operations>) -> Self {
        let name = operations_name(module);
        let handler: BytesHandler = Arc::new({
            let name = Arc::<str>::from(name.as_str());
            move |context: Context, bytes: Bytes| {
                let (operations, name) = (Arc::clone(&operations), Arc::clone(&name));
                Box::pin(context.scope(async move { operate(operations, &name, bytes).await }))
            }
        });
        self.handlers.insert(name, handler);
        self
    }

    /// The names that are answered here.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.handlers.keys().map(String::as_str)
    }

    /// Answers a request; an unknown name at once.
    ///
    /// # Errors
    /// [`BusError`] where there is no answer. A domain error is an answer, inside the bytes.
    pub async fn dispatch(&self, name: &str, headers: &Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        match self.handlers.get(name) {
            Some(handler) => handler(Context::from_headers(headers), bytes).await,
            None => Err(BusError::UnknownName { name: name.into() }),
        }
    }
}

#[async_trait]
impl Transport for Endpoints {
    async fn request(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        self.dispatch(name, &headers, bytes).await
    }

    fn kind(&self) -> &'static str {
        "loopback"
    }
}

/// Takes a batch of events as it came over a wire.
pub(crate) async fn take(inbox: Arc<dyn Receive>, name: &str, bytes: Bytes) -> Result<Bytes, BusError> {
    encode(name, &receive(inbox, envelope::read(name, &bytes)?).await?)
}

/// Does what an operator wants, as it came over a wire.
pub(crate) async fn operate(
    operations: Arc<dyn Operations>,
    name: &str,
    bytes: Bytes,
) -> Result<Bytes, BusError> {
    let operation = decode(name, &bytes)?;
    let done = crate::spawn(async move { operations.operate(operation).await });
    encode(name, &done.await.map_err(|error| BusError::failed(&error))??)
}

/// Receives in a task of its own: it runs to its end although the sender may be gone, and a panic fails this
/// delivery only.
pub(crate) async fn receive(
    inbox: Arc<dyn Receive>,
    deliveries: Vec<Delivery>,
) -> Result<Vec<Receipt>, BusError> {
    let stored = crate::spawn(async move { inbox.receive(deliveries).await });
    stored.await.map_err(|error| BusError::failed(&error))?
}

/// The name under which a module's inbox is reached.
pub(crate) fn inbox_name(module: &str) -> String {
    format!("{module}.inbox")
}

/// The name under which a module is operated.
pub(crate) fn operations_name(module: &str) -> String {
    format!("{module}.operations")
}
