//! Calls, deliveries and operations, by where they have to go.

use crate::{
    Bus, BusError, Context, Delivery, Operation, Outcome, Receipt, Request, Served,
    endpoints::{inbox_name, operations_name, receive},
    envelope,
    resilience::unpack,
    serve::{decode, encode},
    shadow::Shadow,
    site::{Link, Reach, Site},
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};

impl Bus {
    /// Calls whatever serves the request's port.
    ///
    /// # Errors
    /// The port's error; a [`BusError`] inside where no answer came, which does not say that the request
    /// was not carried out.
    pub async fn call<R: Request>(&self, request: R) -> Result<R::Response, R::Error> {
        let default = self.0.policies.deadline(R::PORT, R::NAME);
        let context = Context::current().for_call(R::NAME, default)?;
        let link = match self.look(R::PORT, |site| site.port.clone()) {
            Looked::Found(link) => link,
            Looked::Moving => Box::pin(self.look_after_move(R::PORT, R::NAME, &context, port)).await?,
        };
        match link {
            None => Err(BusError::Unavailable { port: R::PORT.into() }.into()),
            Some(Link::Local { served, shadow: None }) if !self.0.strict => match served.handler::<R>() {
                Some(handler) => served.runner.run(context, handler, request).await,
                None => Err(BusError::UnknownName { name: R::NAME.into() }.into()),
            },
            // Boxed, so that a local call does not carry the size of the others around.
            Some(Link::Local { served, shadow: None }) => Box::pin(strict(&served, context, request)).await,
            Some(Link::Local { served, shadow: Some(shadow) }) => {
                Box::pin(shadowed(&served, &shadow, context, request)).await
            }
            Some(Link::Remote(route)) => Box::pin(route.call(context, request)).await,
        }
    }

    /// Hands deliveries to a module's inbox and waits until they are committed there.
    ///
    /// # Errors
    /// [`BusError`] where that is not known: send all of them again.
    pub async fn deliver(
        &self,
        module: &str,
        deliveries: Vec<Delivery>,
        patience: Duration,
    ) -> Result<Vec<Receipt>, BusError> {
        let name = inbox_name(module);
        let context = Context::default().for_call(&name, patience)?;
        let deadline = context.deadline().unwrap_or_else(|| Instant::now() + patience);
        let received = async {
            match self.reach(module, &name, &context, |site| site.inbox.clone()).await? {
                None => Err(BusError::Unavailable { port: module.into() }),
                Some(Reach::Local(inbox)) if !self.0.strict => {
                    context.clone().scope(receive(inbox, deliveries)).await
                }
                Some(Reach::Local(inbox)) => {
                    let mut receipts = Vec::new();
                    for (bytes, _) in envelope::batches(&name, &deliveries)? {
                        let received = receive(Arc::clone(&inbox), envelope::read(&name, &bytes)?);
                        receipts.extend(context.clone().scope(received).await?);
                    }
                    Ok(receipts)
                }
                Some(Reach::Remote(transport)) => {
                    let mut receipts = Vec::new();
                    for (bytes, count) in envelope::batches(&name, &deliveries)? {
                        let answer = transport.deliver(&name, context.to_headers(), bytes).await?;
                        receipts.extend(envelope::receipts(&name, &answer, count)?);
                    }
                    Ok(receipts)
                }
            }
        };
        let received = timeout_at(deadline, received).await;
        received.map_err(|_| BusError::DeadlineExceeded { name: name.clone() })?.map_err(BusError::told)
    }

    /// Asks a module, wherever it is, for what an operator wants.
    ///
    /// # Errors
    /// [`BusError`] where no answer came.
    pub async fn operate(&self, module: &str, operation: Operation) -> Result<Outcome, BusError> {
        let name = operations_name(module);
        let context = Context::current().for_call(&name, self.0.policies.port(module).deadline)?;
        let deadline = context.deadline().unwrap_or_else(Instant::now);
        let asked = async {
            match self.reach(module, &name, &context, |site| site.operations.clone()).await? {
                None => Err(BusError::Unavailable { port: module.into() }),
                Some(Reach::Local(operations)) => {
                    context.clone().scope(async move { operations.operate(operation).await }).await
                }
                Some(Reach::Remote(transport)) => {
                    let bytes = encode(&name, &operation)?;
                    decode(&name, &transport.request(&name, context.to_headers(), bytes).await?)
                }
            }
        };
        let asked = timeout_at(deadline, asked).await;
        asked.map_err(|_| BusError::DeadlineExceeded { name: name.clone() })?.map_err(BusError::told)
    }

    /// Looks a module's site up; waits where it moves.
    pub(crate) async fn reach<T>(
        &self,
        module: &str,
        name: &str,
        context: &Context,
        pick: impl Fn(&Site) -> Option<T>,
    ) -> Result<Option<T>, BusError> {
        match self.look(module, &pick) {
            Looked::Found(found) => Ok(found),
            Looked::Moving => Box::pin(self.look_after_move(module, name, context, pick)).await,
        }
    }

    fn look<T>(&self, module: &str, pick: impl Fn(&Site) -> Option<T>) -> Looked<T> {
        match self.0.sites.load().get(module) {
            Some(Site { moving: Some(_), .. }) => Looked::Moving,
            site => Looked::Found(site.and_then(pick)),
        }
    }

    async fn look_after_move<T>(
        &self,
        module: &str,
        name: &str,
        context: &Context,
        pick: impl Fn(&Site) -> Option<T>,
    ) -> Result<Option<T>, BusError> {
        let late = || BusError::DeadlineExceeded { name: name.into() };
        let deadline = context.deadline().ok_or_else(late)?;
        loop {
            let moving = self.0.sites.load().get(module).and_then(|site| site.moving.clone());
            match (moving, self.look(module, &pick)) {
                (Some(moving), _) => moving.wait(module, name, deadline).await?,
                (None, Looked::Found(found)) => return Ok(found),
                (None, Looked::Moving) => {}
            }
        }
    }
}

enum Looked<T> {
    Found(Option<T>),
    Moving,
}

fn port(site: &Site) -> Option<Link> {
    site.port.clone()
}

/// A call in this process as if it came from elsewhere: nothing is shared but what the answer brings.
async fn strict<R: Request>(served: &Served, context: Context, request: R) -> Result<R::Response, R::Error> {
    let handler =
        served.bytes_handler(R::NAME).ok_or_else(|| BusError::UnknownName { name: R::NAME.into() })?;
    let inside = Context::from_headers(&context.to_headers());
    let answer = handler(inside, encode(R::NAME, &request)?).await?;
    unpack::<R>(&context, &answer)
}

/// A call in this process that is also asked elsewhere, for comparison.
async fn shadowed<R: Request>(
    served: &Served,
    shadow: &Arc<Shadow>,
    context: Context,
    request: R,
) -> Result<R::Response, R::Error> {
    let handler = served.handler::<R>().ok_or_else(|| BusError::UnknownName { name: R::NAME.into() })?;
    let kept = shadow.keep(&request);
    let outcome = served.runner.run(context.clone(), handler, request).await;
    if let Some(request) = kept {
        shadow.compare::<R>(&context, request, &outcome);
    }
    outcome
}
