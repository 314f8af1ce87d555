//! The page where a buyer approves or abandons a charge: plain forms, no script, nothing from elsewhere.

use crate::{entities::charges::ChargeState, error::SandboxError, service::Sandbox};
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

/// A page as a web server of any make can send it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    /// The headers that make it safe to show, and where to go next.
    pub headers: Vec<(&'static str, String)>,
    /// HTML, or nothing.
    pub body: String,
}

/// The page of a charge, by its id, for `/sandbox/challenges/{id}`.
pub async fn show(sandbox: &Sandbox, id: &str) -> Page {
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
    page(200, "Approve a payment", &format!("{what}{rest}"))
}

/// What a buyer says on the page of a charge, at `/sandbox/challenges/{id}/approve` and `.../abandon`.
pub async fn answer(sandbox: &Sandbox, id: &str, approve: bool) -> Page {
    let Ok(id) = id.parse::<Uuid>() else { return not_found() };
    match sandbox.answer(id, approve).await {
        // Answered before (a second click): the page says what it came to.
        Ok(_) | Err(SandboxError::InvalidRequest(_)) => {
            let headers = vec![("location", format!("../{id}")), ("cache-control", "no-store".into())];
            Page { status: 303, headers, body: String::new() }
        }
        Err(SandboxError::UnknownCharge(_)) => not_found(),
        Err(error) => failed(&error),
    }
}

fn not_found() -> Page {
    page(404, "Not found", "<p>There is no such payment.</p>")
}

fn failed(error: &SandboxError) -> Page {
    tracing::error!(%error, "sandbox: a challenge page failed");
    page(503, "Not now", "<p>This did not work. Please try again.</p>")
}

fn page(status: u16, title: &str, body: &str) -> Page {
    let headers = vec![
        ("content-type", "text/html; charset=utf-8".to_owned()),
        ("content-security-policy", POLICY.clone()),
        ("cache-control", "no-store".to_owned()),
        ("referrer-policy", "no-referrer".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
    ];
    let body = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><h1>{title}</h1>{body}\
         <p><small>Sandbox: no money moves.</small></p></body></html>"
    );
    Page { status, headers, body }
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
