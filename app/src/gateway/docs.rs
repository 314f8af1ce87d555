//! A page to read and try the contract. Everything it needs is in the program: it works with no network.

use super::headers::DOCS_POLICY;
use actix_web::{
    HttpResponse, get,
    http::header,
    web::{Data, Path, ServiceConfig},
};
use edge::Problem;
use std::sync::Arc;
use utoipa_swagger_ui::Config;

pub(crate) fn routes(app: &mut ServiceConfig) {
    let config = Config::new(["/openapi.json"])
        .try_it_out_enabled(true)
        // The default shows a badge that a site elsewhere draws.
        .validator_url("none");
    app.app_data(Data::new(Arc::new(config))).service(index).service(file);
}

/// A page to try the API.
#[utoipa::path(tag = "operations", responses((status = 308, description = "The page is at /docs/")))]
#[get("/docs")]
pub(crate) async fn index() -> HttpResponse {
    // Relative, so that a prefix that a proxy adds stays.
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "docs/")).finish()
}

#[get("/docs/{file:.*}")]
async fn file(file: Path<String>, config: Data<Arc<Config<'static>>>) -> Result<HttpResponse, Problem> {
    let config = Arc::clone(config.get_ref());
    match utoipa_swagger_ui::serve(&file, config) {
        Ok(Some(file)) => Ok(HttpResponse::Ok()
            .content_type(file.content_type)
            .insert_header((header::CONTENT_SECURITY_POLICY, DOCS_POLICY))
            .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
            .body(file.bytes.into_owned())),
        Ok(None) => Err(Problem::not_found()),
        Err(error) => Err(Problem::internal(bus::Incident::log(&error))),
    }
}
