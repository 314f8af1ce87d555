//! How inventory is put together.

use super::{Module, Schema, Stage, StartError, Started};
use bus_durable::Database;
use futures::{FutureExt as _, future::BoxFuture};
use inventory::{NAME, Service, Settings};
use inventory_ports::InventoryPort;
use std::sync::Arc;

pub(super) const MODULE: Module = Module {
    name: NAME,
    calls: &[],
    asks: &[],
    check: |settings| settings.module::<Settings>(NAME).map(|_| ()),
    schema: Schema::of::<migrations::inventory::Migrator>(),
    start,
};

fn start(database: Database, stage: &Stage) -> BoxFuture<'_, Result<Started, StartError>> {
    async move {
        let settings = stage.settings.module(NAME)?;
        let service = Service::start(database.clone(), settings)
            .await
            .map_err(|error| StartError::module(NAME, &error))?;
        stage.serve(&database, Arc::clone(&service) as Arc<dyn InventoryPort>).await;
        let subscribers = service.subscribers();
        Ok(Started::new(database, subscribers, Box::new(move |stop| service.workers(stop))))
    }
    .boxed()
}
