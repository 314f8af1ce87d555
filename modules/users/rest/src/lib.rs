//! Users and sessions over HTTP, written against the port only.

mod body;
mod keys;
mod problem;
mod sessions;
#[cfg(test)]
mod tests;
mod users;

use actix_web::web;
use bus::{Bus, Sources};
use std::sync::Arc;
use users_ports::UsersPort;
use utoipa::OpenApi;

/// What the handlers need.
#[derive(Clone)]
struct Users {
    port: Arc<dyn UsersPort>,
    sources: Sources,
}

/// The routes, answered by whatever serves the port on this bus.
pub fn routes(
    bus: &Bus,
    sources: &Sources,
) -> impl Fn(&mut web::ServiceConfig) + Clone + Send + Sync + 'static {
    let data = Users { port: Arc::new(bus.clone()), sources: sources.clone() };
    move |app| {
        app.app_data(web::Data::new(data.clone()))
            .service(users::register)
            .service(users::list)
            // Before the ids: `me` is none.
            .service(users::me)
            .service(users::update)
            .service(users::erase)
            .service(users::get)
            .service(users::change_role)
            .service(sessions::create)
            .service(sessions::refresh)
            .service(sessions::end_current)
            .service(sessions::list)
            .service(sessions::end_all)
            .service(keys::jwks);
    }
}

/// The routes' description.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(
        users::register,
        users::list,
        users::me,
        users::update,
        users::erase,
        users::get,
        users::change_role,
        sessions::create,
        sessions::refresh,
        sessions::end_current,
        sessions::list,
        sessions::end_all,
        keys::jwks
    ))]
    struct Document;
    Document::openapi()
}
