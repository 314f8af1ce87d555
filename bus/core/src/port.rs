//! A port is written once: the trait, its messages' names, its one client and its export come from here.

use crate::PortError;
use futures::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;

/// Whether a request changes anything: retries, shadow calls and the contract suite need to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallKind {
    /// Reads only; may be asked as often as one likes.
    Query,
    /// Changes something; carries the id that makes it safe to repeat.
    Command,
}

/// A message of a port, and what answers it.
pub trait Request: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// The answer.
    type Response: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// The port's error.
    type Error: PortError;
    /// The port's name: `inventory`.
    const PORT: &'static str;
    /// The stable name on every wire: `inventory.reserve`.
    const NAME: &'static str;
    /// Query or command.
    const KIND: CallKind;
}

/// What is known of a request without its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestInfo {
    /// The stable name: `inventory.reserve`.
    pub name: &'static str,
    /// Query or command.
    pub kind: CallKind,
}

/// A typed function that answers one kind of request.
pub type Handler<R> = Arc<
    dyn Fn(R) -> BoxFuture<'static, Result<<R as Request>::Response, <R as Request>::Error>> + Send + Sync,
>;

/// Takes a port's handlers, one after the other.
pub trait Exporter {
    /// Takes the handler of one request.
    fn handle<R: Request>(&mut self, handler: Handler<R>);
}

/// A port as a whole; implemented for `dyn SomePort` by [`port!`](crate::port).
pub trait Port: Send + Sync + 'static {
    /// The port's name: `inventory`.
    const NAME: &'static str;
    /// Every request of the port.
    const REQUESTS: &'static [RequestInfo];
    /// Every request of the port as a type: `(First, (Second, ()))`. What wants to know them all, as the contract gate
    /// does, implements a trait for such lists.
    type Requests;
    /// Hands each method of an implementation to whatever serves it.
    fn export(service: Arc<Self>, to: &mut impl Exporter);
}

/// Declares a port: the async trait, its requests' names and kinds, `impl Trait for Bus` (the only client
/// there is) and the export of an implementation. Each method is marked `#[query]` or `#[command]`.
///
/// ```
/// # #[derive(Clone, serde::Serialize, serde::Deserialize)] pub struct Greet { name: String }
/// # #[derive(Debug, thiserror::Error, serde::Serialize, serde::Deserialize)]
/// # pub enum GreetingError { #[error(transparent)] Unavailable(#[from] bus::BusError) }
/// # impl bus::PortError for GreetingError {
/// #     fn kind(&self) -> bus::ErrorKind { match self { Self::Unavailable(e) => e.kind() } }
/// # }
/// bus::port! {
///     /// Says hello.
///     "greeting" pub trait GreetingPort {
///         #[query]
///         /// A greeting for a name.
///         async fn greet(&self, request: Greet) -> Result<String, GreetingError>;
///     }
/// }
/// ```
#[macro_export]
macro_rules! port {
    (
        $(#[$meta:meta])*
        $name:literal $vis:vis trait $Port:ident {
            $(
                #[$kind:ident]
                $(#[$doc:meta])*
                async fn $method:ident(&self, $request:ident: $Request:ty) -> Result<$Response:ty, $Error:ty>;
            )+
        }
    ) => {
        $(#[$meta])*
        #[$crate::__macro::async_trait]
        $vis trait $Port: Send + Sync + 'static {
            $(
                $(#[$doc])*
                async fn $method(&self, $request: $Request) -> Result<$Response, $Error>;
            )+
        }

        $(
            impl $crate::Request for $Request {
                type Response = $Response;
                type Error = $Error;
                const PORT: &'static str = $name;
                const NAME: &'static str = concat!($name, ".", stringify!($method));
                const KIND: $crate::CallKind = $crate::__call_kind!($kind);
            }
        )+

        #[$crate::__macro::async_trait]
        impl $Port for $crate::Bus {
            $(
                async fn $method(&self, $request: $Request) -> Result<$Response, $Error> {
                    self.call($request).await
                }
            )+
        }

        impl $crate::Port for dyn $Port {
            const NAME: &'static str = $name;
            const REQUESTS: &'static [$crate::RequestInfo] = &[$(
                $crate::RequestInfo {
                    name: <$Request as $crate::Request>::NAME,
                    kind: <$Request as $crate::Request>::KIND,
                },
            )+];

            type Requests = $crate::__list!($($Request),+);

            fn export(service: ::std::sync::Arc<Self>, to: &mut impl $crate::Exporter) {
                $({
                    let service = ::std::sync::Arc::clone(&service);
                    to.handle::<$Request>(::std::sync::Arc::new(move |request| {
                        let service = ::std::sync::Arc::clone(&service);
                        Box::pin(async move { service.$method(request).await })
                    }));
                })+
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __call_kind {
    (query) => {
        $crate::CallKind::Query
    };
    (command) => {
        $crate::CallKind::Command
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __list {
    () => {
        ()
    };
    ($first:ty $(, $rest:ty)*) => {
        ($first, $crate::__list!($($rest),*))
    };
}
