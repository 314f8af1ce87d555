//! `config`: the settings in force and where each came from.

use super::{Failure, say};
use crate::{modules, settings::Settings};
use std::process::ExitCode;

pub(super) fn run(settings: &Settings) -> Result<ExitCode, Failure> {
    for module in modules::COMPILED_IN {
        (module.check)(settings)?;
    }
    let all = settings.origins();
    let width = |part: fn(&crate::settings::Setting) -> usize| all.iter().map(part).max().unwrap_or(0);
    let (keys, values) = (width(|setting| setting.key.len()), width(|setting| setting.value.len()).min(48));
    for setting in all {
        let (key, value, origin) = (&setting.key, &setting.value, &setting.origin);
        say(format_args!("{key:keys$} = {value:values$}  # {origin}"))?;
    }
    Ok(ExitCode::SUCCESS)
}
