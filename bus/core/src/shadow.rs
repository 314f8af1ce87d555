//! Shadow calls: what is answered here is also asked elsewhere, and differences are reported. Reads only: a command
//! would be carried out twice.

use crate::{
    BusError, CallKind, Context, Request, Transport,
    serve::{Answer, Reply, decode, encode},
};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many comparisons run at once; calls that come meanwhile are not compared.
const AT_ONCE: usize = 16;

/// Compares the answers of another process with this one's.
pub(crate) struct Shadow {
    transport: Arc<dyn Transport>,
    permits: Arc<tokio::sync::Semaphore>,
    report: Mutex<ShadowReport>,
}

/// What a shadow has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ShadowReport {
    /// Answers that were the same.
    pub same: u64,
    /// Answers that differed. Under traffic a read may differ because the data changed in between.
    pub different: u64,
    /// Calls that were not answered.
    pub unanswered: u64,
    /// Calls that were not compared: commands, and what was too much at once.
    pub skipped: u64,
    /// The last difference: the request's name, and the JSON pointer to the first field that differs.
    pub last_difference: Option<String>,
}

impl Shadow {
    pub(crate) fn new(transport: Arc<dyn Transport>) -> Self {
        let permits = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
        Self { transport, permits, report: Mutex::default() }
    }

    pub(crate) fn report(&self) -> ShadowReport {
        self.seen().clone()
    }

    fn seen(&self) -> MutexGuard<'_, ShadowReport> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What has to be kept of a call to compare it later; `None` where it is not to be compared.
    pub(crate) fn keep<R: Request>(&self, request: &R) -> Option<Bytes> {
        let kept = (R::KIND == CallKind::Query).then(|| encode(R::NAME, request).ok()).flatten();
        if kept.is_none() {
            self.seen().skipped += 1;
        }
        kept
    }

    /// Asks the other side in the background, and compares.
    pub(crate) fn compare<R: Request>(
        self: &Arc<Self>,
        context: &Context,
        request: Bytes,
        ours: &Result<R::Response, R::Error>,
    ) {
        let ours = match ours {
            Ok(response) => serde_json::to_value(response).map(|value| ("ok", value)),
            Err(error) => serde_json::to_value(error).map(|value| ("error", value)),
        };
        let (Ok(permit), Ok((kind, ours))) = (Arc::clone(&self.permits).try_acquire_owned(), ours) else {
            self.seen().skipped += 1;
            return;
        };
        let (shadow, headers) = (Arc::clone(self), context.to_headers());
        crate::spawn(async move {
            let _permit = permit;
            let answer = shadow.transport.request(R::NAME, headers, request).await;
            let theirs = answer.and_then(|bytes| theirs(R::NAME, &bytes));
            let mut seen = shadow.seen();
            match theirs {
                Err(_) => seen.unanswered += 1,
                Ok((same, theirs)) => match difference(&ours, &theirs).or((same != kind).then(String::new)) {
                    None => seen.same += 1,
                    Some(pointer) => {
                        seen.different += 1;
                        tracing::warn!(name = R::NAME, pointer, "the shadow answers differently");
                        seen.last_difference = Some(format!("{} {pointer}", R::NAME));
                    }
                },
            }
        });
    }
}

fn theirs(name: &str, bytes: &[u8]) -> Result<(&'static str, Value), BusError> {
    let answer: Answer<Value, Value> = decode(name, bytes)?;
    Ok(match answer.reply {
        Reply::Ok(value) => ("ok", value),
        Reply::Error(value) => ("error", value),
    })
}

/// The pointer (RFC 6901) to the first thing that differs.
fn difference(ours: &Value, theirs: &Value) -> Option<String> {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
            let absent = Value::Null;
            keys.into_iter().find_map(|key| {
                let (a, b) = (a.get(key).unwrap_or(&absent), b.get(key).unwrap_or(&absent));
                difference(a, b).map(|rest| format!("/{}{rest}", key.replace('~', "~0").replace('/', "~1")))
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).enumerate();
            pairs.into_iter().find_map(|(i, (a, b))| difference(a, b).map(|rest| format!("/{i}{rest}")))
        }
        _ => (ours != theirs).then(String::new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_difference_is_pointed_at() {
        let ours = json!({"lines": [{"sku": "A", "a/b": 1}], "total": 5});
        assert_eq!(difference(&ours, &ours.clone()), None);
        for (theirs, pointer) in [
            (json!({"lines": [{"sku": "B", "a/b": 1}], "total": 5}), "/lines/0/sku"),
            (json!({"lines": [{"sku": "A", "a/b": 2}], "total": 5}), "/lines/0/a~1b"),
            (json!({"lines": [], "total": 5}), "/lines"),
            (json!({"lines": [{"sku": "A", "a/b": 1}], "total": 5, "more": 1}), "/more"),
            (json!(null), ""),
        ] {
            assert_eq!(difference(&ours, &theirs).as_deref(), Some(pointer));
        }
    }
}
