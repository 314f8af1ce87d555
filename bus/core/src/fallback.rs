//! What a caller makes do with where no answer comes.

use crate::{Bus, BusError, PortError, Request};

/// The call's outcome, or `fallback`'s where no answer came; once, after everything else was tried. A domain error is
/// an answer, and so is what the idempotency keys say. What the fallback answers is taken as it is, an error included.
///
/// ```
/// # #[derive(Debug, thiserror::Error, serde::Serialize, serde::Deserialize)]
/// # enum ShopError { #[error(transparent)] Unavailable(#[from] bus::BusError) }
/// # impl bus::PortError for ShopError {
/// #     fn kind(&self) -> bus::ErrorKind { bus::ErrorKind::Unavailable }
/// #     fn bus(&self) -> Option<&bus::BusError> { let Self::Unavailable(error) = self; Some(error) }
/// # }
/// # async fn name_of_buyer() -> Result<Option<String>, ShopError> {
/// #     Err(bus::BusError::Unavailable { port: "users".into() }.into())
/// # }
/// # async fn shown() -> Result<Option<String>, ShopError> {
/// // An order is shown without its buyer's name where nobody knows it now.
/// bus::answered_or(name_of_buyer(), |_| async { Ok(None) }).await
/// # }
/// ```
///
/// # Errors
/// The call's domain error, or the fallback's.
pub async fn answered_or<T, E: PortError, F>(
    call: impl Future<Output = Result<T, E>>,
    fallback: impl FnOnce(BusError) -> F,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let outcome = call.await;
    let no_answer = match &outcome {
        Err(error) => error.bus().filter(|error| !matches!(error, BusError::KeyReused | BusError::KeyInUse)),
        Ok(_) => None,
    };
    match no_answer.cloned() {
        None => outcome,
        Some(error) => {
            metrics::counter!("bus_fallbacks_total").increment(1);
            fallback(error).await
        }
    }
}

impl Bus {
    /// As [`Bus::call`]; where no answer comes, [`answered_or`] what `fallback` says.
    ///
    /// # Errors
    /// The port's domain error, or the fallback's.
    pub async fn call_or<R: Request, F>(
        &self,
        request: R,
        fallback: impl FnOnce(BusError) -> F,
    ) -> Result<R::Response, R::Error>
    where
        F: Future<Output = Result<R::Response, R::Error>>,
    {
        answered_or(self.call(request), fallback).await
    }
}
