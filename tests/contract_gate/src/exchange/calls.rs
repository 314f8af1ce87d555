//! A request and its answers.

use super::{
    Entry, Message, Part,
    canned::{Canned, Wire, beside, lock},
    looser::loosen,
};
use crate::{
    document::Document,
    sample::{Sample, samples},
};
use async_trait::async_trait;
use bus::{Bus, Caller, Command, Context, Direct, Endpoints, Headers, Policies, Request, Role, Served};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{marker::PhantomData, sync::Arc};
use uuid::Uuid;

/// A request by its type.
pub struct Call<R>(PhantomData<fn() -> R>);

impl<R> Default for Call<R> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

/// Everything that can travel beside a message.
fn context() -> Context {
    let caller = Caller { user: Uuid::from_u128(1), role: Role::Staff, session: Uuid::from_u128(2) };
    let command = Command { id: "user:key".into(), fingerprint: "f".into() };
    let mut context = Context::default();
    context.request_id = Some("request-1".into());
    context.caller = Some(caller);
    context.command = Some(Arc::new(command));
    context
}

impl<R: Request> Call<R> {
    async fn write_request(&self, sample: &Sample) -> Result<Entry, String> {
        let request: R = typed(&sample.value)?;
        let wire = Arc::new(Wire::default());
        let bus = Bus::new(Policies::default());
        bus.connect(R::PORT, Arc::clone(&wire) as Arc<dyn bus::Transport>);
        let context = context();
        let value = beside(&context, &json!(request));
        // No answer comes.
        let _ = context.scope(bus.call(request)).await;
        let (headers, bytes) = wire.sent()?;
        Ok(Entry {
            message: R::NAME.into(),
            part: Part::Request,
            case: sample.case.clone(),
            value,
            headers,
            bytes,
        })
    }

    async fn write_answer(
        &self,
        request: &R,
        case: String,
        outcome: Result<R::Response, R::Error>,
    ) -> Result<Entry, String> {
        let value = spoken(&outcome);
        let canned = Arc::new(Canned::<R>::default());
        *lock(&canned.outcome) = Some(outcome);
        let asked = serde_json::to_vec(request).map_err(|error| error.to_string())?;
        let answer = serving(&canned).dispatch(R::NAME, &Headers::new(), asked.into()).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let bytes = String::from_utf8(answer.to_vec()).map_err(|error| error.to_string())?;
        Ok(Entry { message: R::NAME.into(), part: Part::Answer, case, value, headers: Headers::new(), bytes })
    }

    async fn read_request(&self, entry: &Entry) -> Result<Value, String> {
        let canned = Arc::new(Canned::<R>::default());
        let bytes = Bytes::from(entry.bytes.clone());
        let answered = serving(&canned).dispatch(R::NAME, &entry.headers, bytes).await;
        let asked = lock(&canned.asked).take();
        asked.ok_or_else(|| format!("was not understood: {answered:?}"))
    }

    /// What whoever asked makes of the answer. The question does not matter to it: any will do.
    async fn read_answer(&self, entry: &Entry, document: &Document) -> Result<Value, String> {
        let wire = Wire { answer: Some(entry.bytes.clone().into()), ..Wire::default() };
        let bus = Bus::new(Policies::default());
        bus.connect(R::PORT, Arc::new(wire));
        Ok(spoken(&bus.call(question::<R>(document)?).await))
    }
}

#[async_trait]
impl<R: Request> Message for Call<R> {
    fn name(&self) -> String {
        R::NAME.into()
    }

    async fn write(&self, document: &Document) -> Result<Vec<Entry>, String> {
        let mut entries = Vec::new();
        for sample in part(document, R::NAME, "request")? {
            entries.push(self.write_request(&sample).await.map_err(|error| at::<R>(&sample, &error))?);
        }
        let request = question::<R>(document)?;
        for sample in part(document, R::NAME, "response")? {
            let response = typed(&sample.value).map_err(|error| at::<R>(&sample, &error))?;
            entries.push(self.write_answer(&request, format!("ok {}", sample.case), Ok(response)).await?);
        }
        for sample in part(document, R::NAME, "error")? {
            let error = typed(&sample.value).map_err(|error| at::<R>(&sample, &error))?;
            entries.push(self.write_answer(&request, format!("error {}", sample.case), Err(error)).await?);
        }
        Ok(entries)
    }

    async fn read(&self, entry: &Entry, document: &Document) -> Result<Value, String> {
        match entry.part {
            Part::Request => self.read_request(entry).await,
            Part::Answer => self.read_answer(entry, document).await,
            Part::Event => Err("is a call, not an event".into()),
        }
    }

    fn with_unknown_fields(&self, entry: &Entry, document: &Document) -> Entry {
        let parts: &[(&str, &[&str])] = match entry.part {
            Part::Request => &[("", &["requests", R::NAME, "request"])],
            _ => &[("/ok", &["requests", R::NAME, "response"]), ("/error", &["requests", R::NAME, "error"])],
        };
        loosen(entry, document, parts)
    }
}

fn at<R: Request>(sample: &Sample, error: &str) -> String {
    format!("{}, sample {:?}: {error}", R::NAME, sample.case)
}

fn serving<R: Request>(canned: &Arc<Canned<R>>) -> Endpoints {
    let served = Served::new(Arc::clone(canned), Arc::new(Direct), &Policies::default());
    Endpoints::default().with_port(&served)
}

fn question<R: Request>(document: &Document) -> Result<R, String> {
    let first = part(document, R::NAME, "request")?.into_iter().next().ok_or("no sample")?;
    typed(&first.value)
}

fn part(document: &Document, name: &str, part: &str) -> Result<Vec<Sample>, String> {
    let schema = document.part(&["requests", name, part]).ok_or("the document does not know it")?;
    samples(schema, document.value()).map_err(|error| format!("{name} {part}: {error}"))
}

fn spoken<T: Serialize, E: Serialize>(outcome: &Result<T, E>) -> Value {
    match outcome {
        Ok(response) => json!({ "ok": response }),
        Err(error) => json!({ "error": error }),
    }
}

/// A sample as a value of the type. The schema tells the truth: the type takes it, and gives all of it back.
pub(super) fn typed<T: DeserializeOwned + Serialize>(sample: &Value) -> Result<T, String> {
    let refused =
        |error: serde_json::Error| format!("the type does not take what its schema allows: {error}");
    let value: T = serde_json::from_value(sample.clone()).map_err(refused)?;
    let back = serde_json::to_value(&value).map_err(|error| error.to_string())?;
    holds("", sample, &back)?;
    Ok(value)
}

/// Whether nothing of the sample got lost.
fn holds(place: &str, sample: &Value, back: &Value) -> Result<(), String> {
    match (sample, back) {
        (Value::Object(sample), Value::Object(back)) => sample.iter().try_for_each(|(name, sample)| {
            let place = format!("{place}/{name}");
            match back.get(name) {
                Some(back) => holds(&place, sample, back),
                // To its reader a field that is not there is the same.
                None if sample.is_null() => Ok(()),
                None => Err(format!("the type drops {place}")),
            }
        }),
        (Value::Array(sample), Value::Array(back)) if sample.len() == back.len() => {
            let mut pairs = sample.iter().zip(back).enumerate();
            pairs.try_for_each(|(i, (sample, back))| holds(&format!("{place}/{i}"), sample, back))
        }
        (sample, back) if sample == back => Ok(()),
        (sample, back) => Err(format!("the type turns {place} from {sample} into {back}")),
    }
}
