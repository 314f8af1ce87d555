//! What an operator asks of any module.

use super::{
    Entry, Message, Part,
    calls::typed,
    canned::{Wire, lock},
    looser::loosen,
};
use crate::{
    document::{Document, OPERATIONS},
    sample::samples,
};
use async_trait::async_trait;
use bus::{Bus, BusError, Endpoints, Headers, Operation, Operations, Outcome, Policies};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// Who is asked: any module will do.
const MODULE: &str = "module";
const NAME: &str = "module.operations";

/// Operations and their outcomes.
pub struct Operated;

#[derive(Default)]
struct Operator {
    asked: Mutex<Option<Operation>>,
    outcome: Option<Outcome>,
}

#[async_trait]
impl Operations for Operator {
    async fn operate(&self, operation: Operation) -> Result<Outcome, BusError> {
        *lock(&self.asked) = Some(operation);
        self.outcome.clone().ok_or_else(|| BusError::Unavailable { port: MODULE.into() })
    }
}

#[async_trait]
impl Message for Operated {
    fn name(&self) -> String {
        OPERATIONS.into()
    }

    async fn write(&self, document: &Document) -> Result<Vec<Entry>, String> {
        let message = || OPERATIONS.to_owned();
        let part = |part| {
            let schema =
                document.part(&["requests", OPERATIONS, part]).ok_or("the document does not know it")?;
            samples(schema, document.value())
        };
        let mut entries = Vec::new();
        for sample in part("request")? {
            let operation: Operation = typed(&sample.value)?;
            let value = json!(operation);
            let wire = Arc::new(Wire::default());
            let bus = Bus::new(Policies::default());
            bus.connect_operations(MODULE, Arc::clone(&wire) as Arc<dyn bus::Transport>);
            // No answer comes.
            let _ = bus.operate(MODULE, operation).await;
            let (headers, bytes) = wire.sent()?;
            entries.push(Entry {
                message: message(),
                part: Part::Request,
                case: sample.case,
                value,
                headers,
                bytes,
            });
        }
        for sample in part("response")? {
            let outcome: Outcome = typed(&sample.value)?;
            let value = json!(outcome);
            let operator = Arc::new(Operator { outcome: Some(outcome), ..Operator::default() });
            let endpoints = Endpoints::default().with_operations(MODULE, operator);
            let headers = Headers::new();
            let answer = endpoints.dispatch(NAME, &headers, r#""lag""#.into()).await;
            let answer = answer.map_err(|error| error.to_string())?;
            let bytes = String::from_utf8(answer.to_vec()).map_err(|error| error.to_string())?;
            entries.push(Entry {
                message: message(),
                part: Part::Answer,
                case: sample.case,
                value,
                headers,
                bytes,
            });
        }
        Ok(entries)
    }

    async fn read(&self, entry: &Entry, _: &Document) -> Result<Value, String> {
        match entry.part {
            Part::Request => {
                let operator = Arc::new(Operator::default());
                let serving = Arc::clone(&operator) as Arc<dyn Operations>;
                let endpoints = Endpoints::default().with_operations(MODULE, serving);
                let answered = endpoints.dispatch(NAME, &entry.headers, entry.bytes.clone().into()).await;
                let asked = lock(&operator.asked).take();
                asked
                    .map(|operation| json!(operation))
                    .ok_or_else(|| format!("was not understood: {answered:?}"))
            }
            Part::Answer => {
                let wire = Wire { answer: Some(entry.bytes.clone().into()), ..Wire::default() };
                let bus = Bus::new(Policies::default());
                bus.connect_operations(MODULE, Arc::new(wire));
                let outcome = bus.operate(MODULE, Operation::Lag).await;
                outcome.map(|outcome| json!(outcome)).map_err(|error| error.to_string())
            }
            Part::Event => Err("is a call, not an event".into()),
        }
    }

    fn with_unknown_fields(&self, entry: &Entry, document: &Document) -> Entry {
        let part = if entry.part == Part::Request { "request" } else { "response" };
        loosen(entry, document, &[("", &["requests", OPERATIONS, part])])
    }
}
