//! `place`: asks a running server to move a module.

use super::{Failure, say};
use serde_json::{Value, json};
use std::process::ExitCode;

/// The one variable with our prefix that is no setting.
pub(super) const TOKEN: &str = "CLEAVE_TOKEN";

/// What is asked, and of whom.
#[derive(Debug, clap::Args)]
pub(super) struct Wish {
    /// users, inventory, orders, payments or notifications.
    module: String,
    /// local, http://host:port (the other's wire.listen), nats:name or amqp:name (its wire.name).
    to: String,
    /// Only let the other side answer reads too, and report differences; with `local`: no longer.
    #[arg(long)]
    shadow: bool,
    /// The server that the module is moved out of or back to.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    server: String,
    /// An admin's access token. Better given by the variable: arguments can be seen by others on the machine.
    #[arg(long, env = TOKEN, hide_env_values = true)]
    token: String,
}

pub(super) async fn run(wish: Wish) -> Result<ExitCode, Failure> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let failed = |error: reqwest::Error| Failure::Refused(crate::chain(&error));
    let url = format!("{}/api/v1/admin/modules/{}/placement", wish.server.trim_end_matches('/'), wish.module);
    let client = reqwest::Client::builder().no_proxy().build().map_err(failed)?;
    let request =
        client.put(url).bearer_auth(wish.token).json(&json!({"to": wish.to, "shadow": wish.shadow}));
    let answer = request.send().await.map_err(failed)?;
    let status = answer.status();
    let body: Value = answer.json().await.unwrap_or(Value::Null);
    if !status.is_success() {
        let why = body["detail"].as_str().or(body["title"].as_str()).unwrap_or("the server does not say why");
        return Err(Failure::Refused(format!("{status}: {why}")));
    }
    if wish.shadow {
        say(format_args!("GET /api/v1/admin/modules shows what the shadow of {} has seen", wish.module))?;
    } else {
        let held = body["held_ms"].as_u64().unwrap_or_default();
        say(format_args!("{} is at {} (calls waited {held} ms)", wish.module, wish.to))?;
    }
    Ok(ExitCode::SUCCESS)
}
