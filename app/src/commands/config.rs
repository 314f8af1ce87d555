//! `config`: the settings in force and where each came from; `config explain`: what holds for one request.

use super::{Failure, say};
use crate::{
    modules,
    settings::{Setting, Settings, requests},
};
use bus::{Explained, Scope};
use std::process::ExitCode;

pub(super) fn run(settings: &Settings) -> Result<ExitCode, Failure> {
    for module in modules::COMPILED_IN {
        (module.check)(settings)?;
    }
    let all = settings.origins().iter();
    print(all.map(|setting| [setting.key.clone(), setting.value.clone(), setting.origin.clone()]).collect())
}

/// What happens to a call of this request on its way to another process, from the outside in.
pub(super) fn explain(settings: &Settings, request: &str) -> Result<ExitCode, Failure> {
    let unknown =
        || Failure::Refused(format!("there is no request {request}: say it like inventory.reserve"));
    let (port, method) = request.split_once('.').ok_or_else(unknown)?;
    if !requests(port).iter().any(|known| known.name == request) {
        return Err(unknown());
    }
    let policies = settings.bus.policies()?;
    let row = |explained: Explained| {
        let key = match explained.scope {
            Scope::Bus => format!("bus.{}", explained.key),
            Scope::Port => format!("bus.ports.{port}.{}", explained.key),
            Scope::Request if explained.key == "deadline" => format!("bus.ports.{port}.deadlines.{method}"),
            Scope::Request => format!("bus.ports.{port}.never_retry"),
        };
        let found = settings.origins().iter().find(|setting: &&Setting| setting.key == key);
        let origin = found.map_or("built in", |setting| setting.origin.as_str());
        [explained.key.to_owned(), explained.value, format!("{key}, {origin}")]
    };
    print(policies.explain(port, request).into_iter().map(row).collect())
}

/// Name, value and origin in columns.
fn print(rows: Vec<[String; 3]>) -> Result<ExitCode, Failure> {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (keys, values) = (width(0), width(1).min(48));
    for [key, value, origin] in &rows {
        say(format_args!("{key:keys$} = {value:values$}  # {origin}"))?;
    }
    Ok(ExitCode::SUCCESS)
}
