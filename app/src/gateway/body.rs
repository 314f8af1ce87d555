//! Time for bodies to arrive: actix gives them for ever.

use actix_web::{
    HttpMessage as _,
    dev::{Payload, ServiceRequest},
    error::PayloadError,
    http::header,
};
use futures::{StreamExt as _, stream};
use std::io;
use tokio::time::{Instant, timeout_at};

/// Ends the request's body with a time-out, which [`edge`]'s extractors answer with 408.
pub(crate) fn limit_time(request: &mut ServiceRequest, deadline: Instant) {
    let headers = request.headers();
    if !headers.contains_key(header::CONTENT_LENGTH) && !headers.contains_key(header::TRANSFER_ENCODING) {
        return;
    }
    let payload = request.take_payload();
    let timed = stream::unfold(Some(payload), move |payload| async move {
        let mut payload = payload?;
        match timeout_at(deadline, payload.next()).await {
            Ok(chunk) => chunk.map(|chunk| (chunk, Some(payload))),
            Err(_) => Some((Err(PayloadError::Io(io::ErrorKind::TimedOut.into())), None)),
        }
    });
    request.set_payload(Payload::Stream { payload: Box::pin(timed) });
}
