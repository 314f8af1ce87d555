//! Every request is sent twice: what a retry, a redelivery or an impatient client does sooner or later.

use async_trait::async_trait;
use bus::{BusError, Headers, Transport};
use bytes::Bytes;
use serde_json::Value;
use std::sync::Arc;

/// Sends each request twice, the same bytes under the same headers, and gives back the second answer.
///
/// # Panics
/// When asked: where the second answer is not the first (whether it is a replay aside).
pub struct Twice {
    inner: Arc<dyn Transport>,
    except: Vec<String>,
}

/// A transport that asks everything twice.
#[must_use]
pub fn each_request_twice(inner: Arc<dyn Transport>) -> Twice {
    Twice { inner, except: Vec::new() }
}

impl Twice {
    /// Asks this request once: its answers differ by nature, as a new session's tokens do.
    #[must_use]
    pub fn except(mut self, name: &str) -> Self {
        self.except.push(name.to_owned());
        self
    }
}

#[async_trait]
impl Transport for Twice {
    async fn request(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        if self.except.iter().any(|except| except == name) {
            return self.inner.request(name, headers, bytes).await;
        }
        let first = self.inner.request(name, headers.clone(), bytes.clone()).await;
        let second = self.inner.request(name, headers, bytes).await;
        let same = match (&first, &second) {
            (Ok(first), Ok(second)) => without_mark(first) == without_mark(second),
            (Err(first), Err(second)) => std::mem::discriminant(first) == std::mem::discriminant(second),
            _ => false,
        };
        assert!(same, "{name} sent twice: first {}, then {}", text(&first), text(&second));
        second
    }

    fn kind(&self) -> &'static str {
        self.inner.kind()
    }
}

fn without_mark(answer: &[u8]) -> Option<Value> {
    let mut answer: Value = serde_json::from_slice(answer).ok()?;
    answer.as_object_mut()?.remove("replayed");
    Some(answer)
}

fn text(answer: &Result<Bytes, BusError>) -> String {
    match answer {
        Ok(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Answers with how often it was asked; always the first answer where it is `faithful`.
    struct Counting {
        asked: AtomicUsize,
        faithful: bool,
    }

    #[async_trait]
    impl Transport for Counting {
        async fn request(&self, _: &str, _: Headers, _: Bytes) -> Result<Bytes, BusError> {
            let asked = self.asked.fetch_add(1, Ordering::SeqCst);
            let said = if self.faithful { 0 } else { asked };
            Ok(format!(r#"{{"ok":{said},"replayed":{}}}"#, asked > 0).into())
        }

        fn kind(&self) -> &'static str {
            "counting"
        }
    }

    async fn ask(faithful: bool, except: &str) -> (Bytes, usize) {
        let inner = Arc::new(Counting { asked: AtomicUsize::new(0), faithful });
        let twice = each_request_twice(Arc::clone(&inner) as Arc<dyn Transport>).except(except);
        let answer = twice.request("shop.order", Headers::new(), Bytes::new()).await.expect("an answer");
        (answer, inner.asked.load(Ordering::SeqCst))
    }

    #[tokio::test]
    async fn the_second_answer_is_the_one_given() {
        assert_eq!(ask(true, "").await, (r#"{"ok":0,"replayed":true}"#.into(), 2));
    }

    #[tokio::test]
    #[should_panic(expected = "shop.order sent twice")]
    async fn an_answer_that_changes_is_named() {
        ask(false, "").await;
    }

    #[tokio::test]
    async fn a_request_can_be_spared() {
        assert_eq!(ask(false, "shop.order").await.1, 1);
    }
}
