//! The few requests of etcd's JSON gateway that are needed here. Keys and values are base64, numbers are strings.
//!
//! <https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/>

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{Client, StatusCode};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GatewayError {
    /// No member of the cluster could be asked.
    #[error("no member of etcd answers")]
    Unreachable,
    /// The cluster refused, by this gRPC-mapped status: 404 for a lease that is gone.
    #[error("etcd refuses with {0}")]
    Refused(StatusCode),
    /// Not what etcd answers.
    #[error("not an answer of etcd's")]
    Unreadable,
}

/// Asks the members of a cluster in turn.
pub(crate) struct Gateway {
    endpoints: Vec<String>,
    timeout: Duration,
    client: Client,
    /// The member that answered last.
    good: AtomicUsize,
}

/// An entry of the store.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KeyValue {
    pub(crate) key: String,
    pub(crate) value: String,
}

/// A lease as etcd knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) id: i64,
    pub(crate) lasts: Duration,
}

impl Gateway {
    pub(crate) fn new(endpoints: &[String], timeout: Duration, client: Client) -> Self {
        let endpoints = endpoints.iter().map(|it| it.trim_end_matches('/').to_owned()).collect();
        Self { endpoints, timeout, client, good: AtomicUsize::new(0) }
    }

    /// The entries whose keys begin with this, in the order in which they were made.
    pub(crate) async fn range(&self, prefix: &str) -> Result<Vec<KeyValue>, GatewayError> {
        let question = json!({
            "key": STANDARD.encode(prefix),
            "range_end": STANDARD.encode(end_of(prefix)),
            "sort_order": "ASCEND",
            "sort_target": "CREATE",
            // Answered by the member that is asked, also where it has lost the others.
            "serializable": true,
        });
        let answer: Range = self.ask("kv/range", &question).await?;
        answer.kvs.into_iter().map(Encoded::read).collect()
    }

    /// A new lease.
    pub(crate) async fn grant(&self, lasts: Duration) -> Result<Lease, GatewayError> {
        let answer: Leased =
            self.ask("lease/grant", &json!({ "TTL": lasts.as_secs().max(1).to_string() })).await?;
        answer.read()?.ok_or(GatewayError::Unreadable)
    }

    /// Keeps a lease alive; `None` where it is gone.
    pub(crate) async fn keep_alive(&self, lease: i64) -> Result<Option<Lease>, GatewayError> {
        let question = json!({ "ID": lease.to_string() });
        self.ask::<Streamed<Leased>>("lease/keepalive", &question).await?.result.read()
    }

    /// Writes an entry that goes when the lease goes.
    pub(crate) async fn put(&self, key: &str, value: &str, lease: i64) -> Result<(), GatewayError> {
        let (key, value) = (STANDARD.encode(key), STANDARD.encode(value));
        let question = json!({ "key": key, "value": value, "lease": lease.to_string() });
        self.ask::<Nothing>("kv/put", &question).await.map(drop)
    }

    /// Ends a lease, and every entry under it.
    pub(crate) async fn revoke(&self, lease: i64) -> Result<(), GatewayError> {
        self.ask::<Nothing>("lease/revoke", &json!({ "ID": lease.to_string() })).await.map(drop)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        what: &str,
        question: &impl Serialize,
    ) -> Result<T, GatewayError> {
        let first = self.good.load(Ordering::Relaxed);
        let mut failure = GatewayError::Unreachable;
        for offset in 0..self.endpoints.len() {
            let member = (first + offset) % self.endpoints.len();
            let url = format!("{}/v3/{what}", self.endpoints[member]);
            let Ok(answer) = self.client.post(url).timeout(self.timeout).json(question).send().await else {
                continue;
            };
            if answer.status().is_success() {
                self.good.store(member, Ordering::Relaxed);
                return answer.json().await.map_err(|_| GatewayError::Unreadable);
            }
            failure = GatewayError::Refused(answer.status());
            if !answer.status().is_server_error() {
                break;
            }
        }
        Err(failure)
    }
}

/// The first key that does not begin with the prefix.
fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    // Every key there is.
    vec![0]
}

#[derive(Deserialize)]
struct Nothing {}

/// What a gRPC stream answers is wrapped.
#[derive(Deserialize)]
struct Streamed<T> {
    result: T,
}

#[derive(Deserialize)]
struct Range {
    #[serde(default)]
    kvs: Vec<Encoded>,
}

#[derive(Deserialize)]
struct Encoded {
    key: String,
    #[serde(default)]
    value: String,
}

impl Encoded {
    fn read(self) -> Result<KeyValue, GatewayError> {
        // Text that is none is kept, with replacement characters: whoever reads the entry says what is wrong with it.
        let text = |encoded: &str| {
            STANDARD.decode(encoded).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        match (text(&self.key), text(&self.value)) {
            (Ok(key), Ok(value)) => Ok(KeyValue { key, value }),
            _ => Err(GatewayError::Unreadable),
        }
    }
}

#[derive(Deserialize)]
struct Leased {
    #[serde(rename = "ID")]
    id: String,
    /// Missing where it is zero, which says that the lease is gone.
    #[serde(rename = "TTL", default)]
    seconds: Option<String>,
}

impl Leased {
    fn read(self) -> Result<Option<Lease>, GatewayError> {
        let number = |text: &str| text.parse::<i64>().map_err(|_| GatewayError::Unreadable);
        let seconds = self.seconds.as_deref().map_or(Ok(0), number)?;
        let id = number(&self.id)?;
        Ok(u64::try_from(seconds)
            .ok()
            .filter(|seconds| *seconds > 0)
            .map(|seconds| Lease { id, lasts: Duration::from_secs(seconds) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_ends_before_the_first_key_of_another_prefix() {
        assert_eq!(end_of("cleave/inventory/"), b"cleave/inventory0");
        assert_eq!(end_of(""), [0]);
    }

    #[test]
    fn a_lease_without_time_is_gone() {
        let read = |text: &str| serde_json::from_str::<Leased>(text).expect("as etcd writes it").read();
        let lease = Lease { id: 7, lasts: Duration::from_secs(5) };
        assert_eq!(read(r#"{"ID":"7","TTL":"5"}"#).expect("readable"), Some(lease));
        for gone in [r#"{"ID":"7"}"#, r#"{"ID":"7","TTL":"0"}"#, r#"{"ID":"7","TTL":"-1"}"#] {
            assert_eq!(read(gone).expect("readable"), None, "{gone}");
        }
        assert!(read(r#"{"ID":"seven","TTL":"5"}"#).is_err());
    }
}
