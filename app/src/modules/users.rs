//! How users is put together.

use super::{Module, Schema, Stage, StartError, Started};
use crate::modules::FirstAdmin;
use bus_durable::Database;
use futures::{FutureExt as _, future::BoxFuture};
use std::sync::Arc;
use users::{AdminSettings, Service, Settings};
use users_ports::UsersPort;

pub(super) const MODULE: Module = Module {
    name: users::NAME,
    calls: &[],
    asks: &[],
    check: |settings| settings.module::<Settings>(users::NAME).map(|_| ()),
    schema: Schema::of::<migrations::users::Migrator>(),
    start,
};

fn start(database: Database, stage: &Stage) -> BoxFuture<'_, Result<Started, StartError>> {
    async move {
        let mut settings: Settings = stage.settings.module(users::NAME)?;
        let admin = stage.settings.admin.clone();
        settings.admin = AdminSettings { email: admin.email, password: admin.password };
        let users::Started { service, first_admin } = Service::start(database.clone(), settings)
            .await
            .map_err(|error| StartError::module(users::NAME, &error))?;
        stage.serve(&database, Arc::clone(&service) as Arc<dyn UsersPort>).await;
        let subscribers = service.subscribers();
        let mut started = Started::new(database, subscribers, Box::new(move |stop| service.workers(stop)));
        started.first_admin =
            first_admin.map(|admin| FirstAdmin { email: admin.email, password: admin.password });
        Ok(started)
    }
    .boxed()
}
