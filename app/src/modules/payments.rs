//! How payments is put together, with the sandbox as its provider.

use super::{Module, Schema, Stage, StartError, Started, sandbox};
use crate::sandbox_provider;
use crate::{secrets, settings};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bus_durable::Database;
use futures::{FutureExt as _, future::BoxFuture};
use payments::{NAME, Secret, Service, Settings};
use payments_ports::PaymentsPort;
use std::sync::Arc;

pub(super) const MODULE: Module = Module {
    name: NAME,
    calls: &[],
    asks: &[],
    check,
    schema: Schema::of::<migrations::payments::Migrator>(),
    start,
};

fn check(settings: &settings::Settings) -> Result<(), settings::SettingsError> {
    let own: Settings = settings.module(NAME)?;
    if own.provider != sandbox_provider::NAME {
        let problem = format!("payments.provider: {} is not built in; sandbox is", own.provider);
        return Err(settings::SettingsError::Invalid(problem));
    }
    for (key, secret) in
        [("webhook_secret", &own.webhook_secret), ("webhook_secret_before", &own.webhook_secret_before)]
    {
        if !secret.reveal().is_empty() && !is_secret(secret.reveal()) {
            let problem = format!("payments.{key} is not whsec_ and the base64 of 24 to 64 bytes");
            return Err(settings::SettingsError::Invalid(problem));
        }
    }
    Ok(())
}

fn is_secret(text: &str) -> bool {
    let key = text.strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
    key.is_some_and(|key| (24..=64).contains(&key.len()))
}

fn start(database: Database, stage: &Stage) -> BoxFuture<'_, Result<Started, StartError>> {
    async move {
        let mut settings: Settings = stage.settings.module(NAME)?;
        if settings.webhook_secret.reveal().is_empty() {
            settings.webhook_secret = Secret::new(secrets::webhook_secret(&stage.settings.data_dir)?);
        }
        // After the module's own database: its lock keeps a second process out of this one too.
        let sandbox = sandbox::open(stage, settings.webhook_secret.reveal()).await?;
        let provider = Arc::new(sandbox_provider::SandboxProvider::new(sandbox.clone()));
        let service = Service::start(database.clone(), provider, settings)
            .await
            .map_err(|error| StartError::module(NAME, &error))?;
        stage.serve(&database, Arc::clone(&service) as Arc<dyn PaymentsPort>).await;
        let subscribers = service.subscribers();
        stage.serve_beside(sandbox::served(sandbox.clone()));
        let sink = Arc::new(sandbox_provider::WebhooksToPort::new(Arc::new(stage.bus.clone())));
        let sender = sandbox.clone();
        let workers = move |stop: tokio::sync::watch::Receiver<bool>| {
            let mut tasks = service.workers(stop.clone());
            tasks.push(bus::spawn(sandbox::deliver(sender, sink, stop)));
            tasks
        };
        let mut started = Started::new(database, subscribers, Box::new(workers));
        started.close = Some(async move { sandbox.close().await }.boxed());
        Ok(started)
    }
    .boxed()
}
