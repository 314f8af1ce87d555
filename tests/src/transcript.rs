//! What a client is told by a shop, with everything taken out that differs from one run to the next.

use crate::http::{Answer, Connection, Request};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, io, net::SocketAddr};

/// Headers that are part of an answer, beside its status and body.
const HEADERS: [&str; 6] =
    ["content-type", "location", "etag", "idempotent-replayed", "retry-after", "www-authenticate"];

/// Members whose values are secrets or marks of one run.
const MARKS: [&str; 6] = ["access_token", "refresh_token", "trace_id", "next_cursor", "kid", "x"];

/// Requests and answers, one after the other. Two transcripts of the same requests are equal where the shops behaved
/// the same.
#[derive(Debug, Default)]
pub struct Transcript {
    entries: Vec<Value>,
    ids: BTreeMap<String, String>,
    address: Option<SocketAddr>,
}

impl Transcript {
    /// An empty one, of requests to this address.
    #[must_use]
    pub fn of(address: SocketAddr) -> Self {
        Self { address: Some(address), ..Self::default() }
    }

    /// What there is: `{request, status, headers, body}` each.
    #[must_use]
    pub fn into_entries(self) -> Vec<Value> {
        self.entries
    }

    /// Asks, and writes down what was asked and answered.
    ///
    /// # Errors
    /// Where no answer came.
    pub async fn ask(&mut self, request: &Request<'_>) -> io::Result<Answer> {
        let address = self.address.ok_or_else(|| io::Error::other("nobody to ask"))?;
        let answer = Connection::open(address).await?.send(request).await?;
        self.note(request, &answer, answer.json());
        Ok(answer)
    }

    /// Writes an answer down that came some other way, with this in place of its body.
    pub fn note(&mut self, request: &Request<'_>, answer: &Answer, body: Value) {
        let method = if request.method.is_empty() { "GET" } else { request.method };
        let headers: Map<String, Value> = HEADERS
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), answer.header(name)?.into())))
            .collect();
        let entry = json!({
            "request": format!("{method} {}", request.path),
            "status": answer.status,
            "headers": headers,
            "body": body,
        });
        let entry = self.normal(None, entry);
        self.entries.push(entry);
    }

    /// A value without what differs: ids are numbered in the order in which they are seen, times and marks are named.
    fn normal(&mut self, name: Option<&str>, value: Value) -> Value {
        match value {
            Value::String(_) if name.is_some_and(|name| MARKS.contains(&name)) => "<a mark>".into(),
            Value::String(text) => self.text(&text).into(),
            Value::Array(items) => items.into_iter().map(|item| self.normal(None, item)).collect(),
            Value::Object(members) => members
                .into_iter()
                .map(|(name, value)| {
                    let value = self.normal(Some(&name), value);
                    (name, value)
                })
                .collect::<Map<_, _>>()
                .into(),
            plain => plain,
        }
    }

    fn text(&mut self, text: &str) -> String {
        if is_time(text) {
            return "<a time>".into();
        }
        let text = match self.address {
            Some(address) => text.replace(&address.to_string(), "<the edge>"),
            None => text.to_owned(),
        };
        let mut left = text.as_str();
        let mut normal = String::new();
        while let Some(at) = find_id(left) {
            let (before, rest) = left.split_at(at);
            let (id, after) = rest.split_at(ID);
            let next = format!("<id {}>", self.ids.len() + 1);
            normal.push_str(before);
            normal.push_str(self.ids.entry(id.to_owned()).or_insert(next));
            left = after;
        }
        normal + left
    }
}

/// Where two transcripts differ, member by member.
#[must_use]
pub fn differences(ours: &[Value], theirs: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    for (ours, theirs) in ours.iter().zip(theirs) {
        let mut here = Vec::new();
        differ("", ours, theirs, &mut here);
        found.extend(here.into_iter().map(|what| format!("{}: {what}", ours["request"])));
    }
    if ours.len() != theirs.len() {
        found.push(format!("{} answers, not {}", ours.len(), theirs.len()));
    }
    found
}

fn differ(at: &str, ours: &Value, theirs: &Value, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (name, theirs) in theirs {
                differ(&format!("{at}/{name}"), ours.get(name).unwrap_or(&Value::Null), theirs, found);
            }
            for (name, ours) in ours.iter().filter(|(name, _)| !theirs.contains_key(*name)) {
                found.push(format!("{at}/{name}: {ours}, and nothing there"));
            }
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            for (i, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                differ(&format!("{at}/{i}"), ours, theirs, found);
            }
        }
        (ours, theirs) if ours == theirs => {}
        (ours, theirs) => found.push(format!("{at}: {ours}, not {theirs}")),
    }
}

/// The length of a UUID as it is written.
const ID: usize = 36;

fn find_id(text: &str) -> Option<usize> {
    let is_id = |part: &str| part.len() == ID && part.parse::<uuid::Uuid>().is_ok();
    (0..text.len()).find(|at| text.get(*at..*at + ID).is_some_and(is_id))
}

/// RFC 3339, as the shop writes it: `2026-01-02T03:04:05.678Z`.
fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let at = |i: usize, byte: u8| bytes.get(i) == Some(&byte);
    at(4, b'-') && at(7, b'-') && at(10, b'T') && at(13, b':') && at(16, b':') && text.ends_with('Z')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_taken_out_and_the_rest_stays() {
        let mut transcript = Transcript::of("127.0.0.1:4711".parse().expect("an address"));
        let (one, two) = ("018f3f6e-7b1a-7c3d-8e2f-000000000001", "018f3f6e-7b1a-7c3d-8e2f-000000000002");
        let said = json!({
            "id": one, "other": format!("/orders/{two}"), "again": one, "at": "2026-01-02T03:04:05.6Z",
            "access_token": "secret", "url": "http://127.0.0.1:4711/x", "total": 5, "none": null,
        });
        let normal = transcript.normal(None, said);
        let ids: Vec<_> = ["id", "other", "again"].map(|name| normal[name].as_str().expect("text")).into();
        assert!(ids[0] == ids[2] && ids[0] != ids[1].trim_start_matches("/orders/"), "{normal}");
        assert_eq!(normal["at"], "<a time>");
        assert_eq!(normal["access_token"], "<a mark>");
        assert_eq!(normal["url"], "http://<the edge>/x");
        assert_eq!((&normal["total"], &normal["none"]), (&json!(5), &Value::Null));
    }

    #[test]
    fn whatever_else_differs_is_named() {
        let said = |status: u16, body: Value| json!({"request": "GET /x", "status": status, "body": body});
        let theirs = [said(200, json!({"data": [1, 2], "next": null}))];
        assert_eq!(differences(&theirs, &theirs), Vec::<String>::new());
        for ours in [
            said(201, json!({"data": [1, 2], "next": null})),
            said(200, json!({"data": [1, 3], "next": null})),
            said(200, json!({"data": [1], "next": null})),
            said(200, json!({"data": [1, 2], "next": null, "more": 1})),
            said(200, json!({"data": [1, 2], "next": 0})),
        ] {
            assert_eq!(differences(&[ours], &theirs).len(), 1);
        }
        assert_eq!(differences(&[], &theirs).len(), 1);
    }
}
