//! What whoever runs the shop asks: open sagas, dead letters, and whether everything adds up.
//!
//! Everything is asked over the bus, so that it works wherever the modules are.

mod breaker;
mod dead_letters;
pub(crate) mod integrity;
mod money_and_stock;
mod placement;
mod sagas;

use crate::{gateway::Routes, modules::Modules};
use actix_web::{http::StatusCode, web};
use bus::{Bus, BusError, Sources};
use edge::Problem;
use std::{sync::Arc, time::Duration};
use utoipa::OpenApi;

/// What the handlers need.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) bus: Bus,
    pub(crate) sources: Sources,
    /// How old a message may be before it is a violation.
    pub(crate) message_age: Duration,
}

/// The routes.
pub(crate) fn routes(desk: Desk, modules: &Arc<Modules>) -> Routes {
    let modules = Arc::clone(modules);
    Arc::new(move |app| {
        app.app_data(web::Data::new(desk.clone()))
            .service(sagas::list)
            .service(sagas::retry)
            .service(dead_letters::list)
            .service(dead_letters::replay)
            .service(dead_letters::discard)
            .service(integrity::integrity)
            .app_data(web::Data::from(Arc::clone(&modules)))
            .service(placement::place)
            .service(breaker::force);
    })
}

/// The routes' description.
pub(crate) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(
        sagas::list,
        sagas::retry,
        dead_letters::list,
        dead_letters::replay,
        dead_letters::discard,
        integrity::integrity,
        placement::place,
        breaker::force
    ))]
    struct Document;
    Document::openapi()
}

/// A module that did not answer, as a problem.
fn problem(error: BusError) -> Problem {
    Problem::from(error)
}

fn invalid_cursor() -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_cursor")
        .detail("The cursor is not one that this list handed out.")
}
