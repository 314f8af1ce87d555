//! One accepted connection, and the count of those that are open.

use crate::call::Service;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

/// The least that hyper takes for a limit of a head.
const SMALLEST_HEAD: usize = 8192;

/// An open connection in the metrics, until it is dropped.
pub(crate) struct Open {
    side: &'static str,
    count: Option<Arc<AtomicUsize>>,
}

impl Open {
    pub(crate) fn calling() -> Self {
        Self::new("calling", None)
    }

    pub(crate) fn serving(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self::new("serving", Some(Arc::clone(count)))
    }

    fn new(side: &'static str, count: Option<Arc<AtomicUsize>>) -> Self {
        metrics::gauge!("bus_http_connections", "side" => side).increment(1);
        Self { side, count }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        metrics::gauge!("bus_http_connections", "side" => self.side).decrement(1);
        if let Some(count) = &self.count {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Answers on a connection until its peer leaves, a limit is passed, or everything stops: then the call that runs
/// is answered first.
pub(crate) async fn serve(
    stream: TcpStream,
    service: Arc<Service>,
    stopping: CancellationToken,
    _open: Open,
) {
    // An answer is one write: nothing is gained by waiting for more of it.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(service.settings.write_timeout));
    let (idle, head) = (service.settings.idle, service.settings.head.max(SMALLEST_HEAD));
    let answer = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(service.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .max_header_size(head)
        .serve_connection(TokioIo::new(Box::pin(stream)), answer);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}
