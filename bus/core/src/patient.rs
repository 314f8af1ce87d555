//! Waiting for somebody to listen. A call that nobody has heard is no repetition: it is sent once there is somebody, and
//! no budget is spent on it. So a process that is started anew, or another instance of it, costs its callers a pause and
//! no failure.

use crate::{BusError, Headers, Transport};
use async_trait::async_trait;
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// The pause after the first time that nobody listened; it doubles, and half of it is drawn by lot.
const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(100);

/// A transport that waits for somebody to listen, no longer than this.
pub struct Patient {
    inner: Arc<dyn Transport>,
    patience: Duration,
}

impl Patient {
    /// Sends through `inner`, and again for so long as nobody has heard it.
    #[must_use]
    pub fn new(inner: Arc<dyn Transport>, patience: Duration) -> Self {
        Self { inner, patience }
    }

    async fn send<F: Future<Output = Result<Bytes, BusError>>>(
        &self,
        headers: Headers,
        send: impl Fn(Headers) -> F,
    ) -> Result<Bytes, BusError> {
        let began = Instant::now();
        let mut pause = SHORTEST;
        loop {
            match send(left(&headers, began.elapsed())).await {
                Err(BusError::Unheard { port }) => {
                    let drawn = pause.mul_f64(0.5 + rand::random::<f64>() / 2.0);
                    if began.elapsed() + drawn >= self.patience {
                        return Err(BusError::Unavailable { port });
                    }
                    tokio::time::sleep(drawn).await;
                    pause = (pause * 2).min(LONGEST);
                }
                answer => return answer,
            }
        }
    }
}

/// The headers, with what is left of the time by now.
fn left(headers: &Headers, waited: Duration) -> Headers {
    let mut headers = headers.clone();
    if let Some(left) = headers.get_mut("timeout-ms")
        && let Ok(milliseconds) = left.parse::<u64>()
    {
        let waited = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        *left = milliseconds.saturating_sub(waited).to_string();
    }
    headers
}

#[async_trait]
impl Transport for Patient {
    async fn request(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        self.send(headers, |headers| self.inner.request(name, headers, bytes.clone())).await
    }

    async fn deliver(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        self.send(headers, |headers| self.inner.deliver(name, headers, bytes.clone())).await
    }

    fn kind(&self) -> &'static str {
        self.inner.kind()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    /// Nobody listens the first so many times, and then something comes of it.
    struct Later {
        after: u32,
        then: Result<Bytes, BusError>,
        tried: AtomicU32,
        told: std::sync::Mutex<Option<String>>,
    }

    #[async_trait]
    impl Transport for Later {
        async fn request(&self, _: &str, headers: Headers, _: Bytes) -> Result<Bytes, BusError> {
            *self.told.lock().expect("not poisoned") = headers.get("timeout-ms").cloned();
            if self.tried.fetch_add(1, SeqCst) < self.after {
                return Err(BusError::Unheard { port: "shop".into() });
            }
            self.then.clone()
        }

        fn kind(&self) -> &'static str {
            "later"
        }
    }

    fn later(after: u32, then: Result<Bytes, BusError>) -> Arc<Later> {
        Arc::new(Later { after, then, tried: AtomicU32::new(0), told: std::sync::Mutex::default() })
    }

    async fn ask(later: &Arc<Later>, patience: u64) -> Result<Bytes, BusError> {
        let patient = Patient::new(Arc::clone(later) as Arc<dyn Transport>, Duration::from_millis(patience));
        let headers = Headers::from([("timeout-ms".to_owned(), "10000".to_owned())]);
        patient.request("shop.order", headers, Bytes::new()).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_waits_until_somebody_listens() {
        let listens = later(10, Ok("heard".into()));
        assert_eq!(ask(&listens, 2000).await, Ok("heard".into()));
        assert_eq!(listens.tried.load(SeqCst), 11);
        let told = listens.told.lock().expect("not poisoned").clone().expect("a time");
        assert!(told.parse::<u64>().is_ok_and(|left| left < 9_900), "what it waited is gone: {told}");
    }

    #[tokio::test(start_paused = true)]
    async fn it_does_not_wait_for_ever() {
        let began = Instant::now();
        let unavailable = BusError::Unavailable { port: "shop".into() };
        assert_eq!(ask(&later(u32::MAX, Ok(Bytes::new())), 2000).await, Err(unavailable));
        assert!(began.elapsed() <= Duration::from_secs(2));
    }

    /// C12: what may have been heard is not sent again here.
    #[tokio::test(start_paused = true)]
    async fn what_may_have_been_heard_is_sent_once() {
        let broken = BusError::Unavailable { port: "shop".into() };
        let breaks = later(1, Err(broken.clone()));
        assert_eq!(ask(&breaks, 2000).await, Err(broken));
        assert_eq!(breaks.tried.load(SeqCst), 2);
    }
}
