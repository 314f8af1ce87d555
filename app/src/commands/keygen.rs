//! `keygen`: a key for the wire. The file is the process's own, what is printed is for the settings of the others.

use super::{Failure, say};
use crate::settings::Settings;
use bus_trust::Identity;
use std::{path::Path, process::ExitCode};

pub(super) fn run(settings: &Settings, path: &Path) -> Result<ExitCode, Failure> {
    let refused = |error: bus_trust::IdentityError| Failure::Refused(crate::chain(&error));
    let name = &settings.wire.name;
    let identity = Identity::generate(name).map_err(refused)?;
    identity.save(path).map_err(refused)?;
    say(format_args!("The private key of {name} is in {}. The others know it by", path.display()))?;
    say(format_args!("[wire.peers.{name}]\nkeys = [\"{}\"]", identity.public_key()))?;
    Ok(ExitCode::SUCCESS)
}
