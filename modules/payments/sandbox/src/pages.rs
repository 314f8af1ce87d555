//! The page where a buyer approves or abandons a charge: plain forms, no script, nothing from elsewhere.

use crate::{entities::charges::ChargeState, error::SandboxError, service::Sandbox};
use actix_web::{HttpResponse, http::StatusCode, http::header, web};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;
use uuid::Uuid;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:28rem;margin:4rem auto;padding:0 1rem}\
form{display:inline}button{font:inherit;padding:.5rem 1.25rem;margin:0 .5rem 0 0}dt{color:#555}dd{margin:0 0 .5rem}";

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
});

/// Mounts the challenge pages at `/sandbox/challenges/{id}`.
pub fn configure(sandbox: Sandbox) -> impl FnOnce(&mut web::ServiceConfig) {
    move |config| {
        config.service(
            web::scope("/sandbox/challenges")
                .app_data(web::Data::new(sandbox))
                .route("/{id}", web::get().to(show))
                .route("/{id}/approve", web::post().to(approve))
                .route("/{id}/abandon", web::post().to(abandon)),
        );
    }
}

async fn show(sandbox: web::Data<Sandbox>, id: web::Path<String>) -> HttpResponse {
    let Ok(id) = id.parse::<Uuid>() else { return not_found() };
    let (charge, amount) = match sandbox.charge(id).await {
        Ok(Some(found)) => found,
        Ok(None) => return not_found(),
        Err(error) => return failed(&error),
    };
    let what = format!(
        "<dl><dt>Amount</dt><dd>{}</dd><dt>Reference</dt><dd>{}</dd></dl>",
        escape(&amount.to_string()),
        escape(&charge.reference),
    );
    let rest = match charge.status {
        // Relative to this page, so that it works under any prefix.
        ChargeState::RequiresAction => format!(
            "<p>Do you approve this payment?</p>\
             <form method=\"post\" action=\"{id}/approve\"><button type=\"submit\">Approve</button></form>\
             <form method=\"post\" action=\"{id}/abandon\"><button type=\"submit\">Abandon</button></form>"
        ),
        ChargeState::Authorized | ChargeState::Captured => {
            "<p>You approved this payment. You can close this page.</p>".to_owned()
        }
        ChargeState::Declined => "<p>This payment was not approved. You can close this page.</p>".to_owned(),
        ChargeState::Voided => "<p>This payment was called off. You can close this page.</p>".to_owned(),
    };
    page(StatusCode::OK, "Approve a payment", &format!("{what}{rest}"))
}

async fn approve(sandbox: web::Data<Sandbox>, id: web::Path<String>) -> HttpResponse {
    answer(&sandbox, &id, true).await
}

async fn abandon(sandbox: web::Data<Sandbox>, id: web::Path<String>) -> HttpResponse {
    answer(&sandbox, &id, false).await
}

async fn answer(sandbox: &Sandbox, id: &str, approve: bool) -> HttpResponse {
    let Ok(id) = id.parse::<Uuid>() else { return not_found() };
    match sandbox.answer(id, approve).await {
        // Answered before (a second click): the page says what it came to.
        Ok(_) | Err(SandboxError::InvalidRequest(_)) => HttpResponse::SeeOther()
            .insert_header((header::LOCATION, format!("../{id}")))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .finish(),
        Err(SandboxError::UnknownCharge(_)) => not_found(),
        Err(error) => failed(&error),
    }
}

fn not_found() -> HttpResponse {
    page(StatusCode::NOT_FOUND, "Not found", "<p>There is no such payment.</p>")
}

fn failed(error: &SandboxError) -> HttpResponse {
    tracing::error!(%error, "sandbox: a challenge page failed");
    page(StatusCode::SERVICE_UNAVAILABLE, "Not now", "<p>This did not work. Please try again.</p>")
}

fn page(status: StatusCode, title: &str, body: &str) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY.as_str()))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
             <style>{STYLE}</style></head><body><h1>{title}</h1>{body}\
             <p><small>Sandbox: no money moves.</small></p></body></html>"
        ))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
