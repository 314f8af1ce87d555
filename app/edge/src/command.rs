//! Writes that run to their end, under the idempotency key, whether or not the client waits.

use crate::{Problem, REPLAYED_HEADER, Reply, idempotency};
use actix_web::{
    HttpRequest,
    http::header::{HeaderName, HeaderValue},
};
use bus::{Context, Incident};
use std::{future::Future, sync::Arc};
use tokio::{runtime::Handle, sync::watch};

/// The public writes that run now. In the app's data it decides which runtime they run on, so that they
/// outlive the server's workers; a shutdown waits for [`Writes::done`].
#[derive(Debug, Clone)]
pub struct Writes {
    runtime: Handle,
    running: Arc<watch::Sender<usize>>,
}

impl Writes {
    /// Writes that run on this runtime.
    #[must_use]
    pub fn on(runtime: Handle) -> Self {
        Self { runtime, running: Arc::new(watch::Sender::new(0)) }
    }

    /// How many run now.
    #[must_use]
    pub fn running(&self) -> usize {
        *self.running.borrow()
    }

    /// Waits until none runs.
    pub async fn done(&self) {
        // The sender is held here, so the wait ends by the count only.
        let _ = self.running.subscribe().wait_for(|count| *count == 0).await;
    }

    fn begin(&self) -> Running {
        self.running.send_modify(|count| *count += 1);
        Running(Arc::clone(&self.running))
    }
}

/// Counts one write for as long as it lives.
struct Running(Arc<watch::Sender<usize>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// Carries out a public write: `work` makes **one** port command and turns its answer into a [`Reply`].
///
/// - The context carries the [`bus::Command`] of the request's idempotency key, if it has one, to the module
///   that is called. The fingerprint covers the body that [`Json`](crate::Json) or
///   [`RawBody`](crate::RawBody) has read, so take those as arguments of the handler.
/// - The work is detached: a client that hangs up does not leave it half done.
/// - An answer out of the module's store is marked `Idempotent-Replayed: true`.
///
/// # Errors
/// What `work` ends with; 400 for a bad key; 500 where it panics.
pub async fn command<F>(request: &HttpRequest, work: F) -> Result<Reply, Problem>
where
    F: Future<Output = Result<Reply, Problem>> + Send + 'static,
{
    let mut context = Context::current();
    context.command = idempotency::command(request)?.map(Arc::new);
    let inside = context.clone();
    let task = match request.app_data::<Writes>() {
        Some(writes) => {
            let running = writes.begin();
            let _entered = writes.runtime.enter();
            bus::spawn(async move {
                let outcome = inside.scope(work).await;
                drop(running);
                outcome
            })
        }
        None => bus::spawn(inside.scope(work)),
    };
    let outcome = task.await.unwrap_or_else(|error| {
        let cause = match error.try_into_panic() {
            Ok(panic) => panic_text(&*panic),
            Err(error) => error.to_string(),
        };
        Err(Problem::internal(Incident::log(&cause)))
    });
    if !context.replayed() {
        return outcome;
    }
    let (name, value) = (HeaderName::from_static(REPLAYED_HEADER), HeaderValue::from_static("true"));
    match outcome {
        Ok(reply) => Ok(reply.header(name, value)),
        Err(problem) => Err(problem.header(name, value)),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KEY_HEADER;
    use actix_web::{Responder as _, test::TestRequest};
    use futures::FutureExt as _;
    use tokio::sync::oneshot;

    /// Design section 3.2: dropping the handler leaves the write running, and a shutdown can wait for it.
    #[tokio::test]
    async fn a_write_outlives_its_request() {
        let writes = Writes::on(Handle::current());
        let request = TestRequest::post().app_data(writes.clone()).to_http_request();
        let (go, gate) = oneshot::channel();
        let (done, finished) = oneshot::channel();
        let mut handler = Box::pin(command(&request, async move {
            gate.await.expect("opened");
            done.send(()).expect("waited for");
            Ok(Reply::no_content())
        }));
        assert!((&mut handler).now_or_never().is_none());
        drop(handler);
        assert_eq!(writes.running(), 1);
        go.send(()).expect("still there");
        finished.await.expect("ran to its end");
        writes.done().await;
        assert_eq!(writes.running(), 0);
    }

    /// Section 5.5: the module sees the command, and a replay is marked on refusals too.
    #[tokio::test]
    async fn the_work_runs_under_its_command() {
        let request = TestRequest::post().insert_header((KEY_HEADER, "k")).to_http_request();
        let reply = command(&request, async {
            let context = Context::current();
            assert!(context.command.is_some());
            context.mark_replayed();
            Ok(Reply::no_content())
        });
        let response = Context::default().scope(reply).await.expect("done").respond_to(&request);
        assert_eq!(response.headers().get(REPLAYED_HEADER).expect("marked"), "true");
        let refused = command(&request, async {
            Context::current().mark_replayed();
            Err(Problem::forbidden())
        });
        let problem = Context::default().scope(refused).await.expect_err("refused");
        assert!(problem.headers().iter().any(|(name, _)| name == REPLAYED_HEADER));
    }

    #[tokio::test]
    async fn a_write_that_panics_fails_with_a_problem() {
        let request = TestRequest::post().to_http_request();
        let problem = command(&request, async { panic!("planted") }).await.expect_err("failed");
        assert_eq!((problem.status().as_u16(), problem.code()), (500, "internal"));
        assert!(!problem.document().to_string().contains("planted"));
    }
}
