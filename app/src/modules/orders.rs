//! How orders is put together. It places nothing without inventory and payments; notifications only add to a timeline.

use super::{Module, Schema, Stage, StartError, Started};
use bus_durable::Database;
use futures::{FutureExt as _, future::BoxFuture};
use orders::{NAME, Service, Settings};
use orders_ports::OrdersPort;
use std::sync::Arc;

pub(super) const MODULE: Module = Module {
    name: NAME,
    calls: &["inventory", "payments"],
    asks: &["notifications"],
    check: |settings| settings.module::<Settings>(NAME).map(|_| ()),
    schema: Schema::of::<migrations::orders::Migrator>(),
    start,
};

fn start(database: Database, stage: &Stage) -> BoxFuture<'_, Result<Started, StartError>> {
    async move {
        let settings = stage.settings.module(NAME)?;
        let bus = Arc::new(stage.bus.clone());
        let (inventory, payments, notifications) = (Arc::clone(&bus) as _, Arc::clone(&bus) as _, bus as _);
        let sagas = stage.settings.durable.sagas();
        let service = Service::start(database.clone(), inventory, payments, notifications, settings, sagas)
            .await
            .map_err(|error| StartError::module(NAME, &error))?;
        stage.serve(&database, Arc::clone(&service) as Arc<dyn OrdersPort>).await;
        let subscribers = service.subscribers();
        Ok(Started::new(database, subscribers, Box::new(move |stop| service.workers(stop))))
    }
    .boxed()
}
