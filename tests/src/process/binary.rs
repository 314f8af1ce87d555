//! The program that is started.

use std::{path::PathBuf, process::Command, sync::OnceLock};

/// Names a program that is there already, to be started in place of one that is built.
const BINARY: &str = "TEST_CLEAVE_BINARY";

/// Builds the program with the features that the whole workspace is built with, so that little is built twice. Where
/// `TEST_CLEAVE_BINARY` names one, that is taken as it is.
///
/// # Panics
/// Where it does not build.
#[must_use]
pub fn debug_binary() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || built(&["--workspace", "--bin", "cleave", "--quiet"], "debug");
    BUILT.get_or_init(|| given().unwrap_or_else(build)).clone()
}

/// Builds the program as it is shipped, with its own features. Where `TEST_CLEAVE_BINARY` names one, that is taken as
/// it is: so two versions are measured in one run.
///
/// # Panics
/// Where it does not build.
#[must_use]
pub fn release_binary() -> PathBuf {
    given().unwrap_or_else(|| built(&["--release", "-p", "cleave"], "release"))
}

fn given() -> Option<PathBuf> {
    std::env::var_os(BINARY).map(PathBuf::from)
}

fn built(arguments: &[&str], profile: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let status = cargo().arg("build").args(arguments).current_dir(&root).status();
    assert!(status.expect("cargo runs").success(), "the program builds");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join(profile).join("cleave").canonicalize().expect("the binary is there")
}

/// Cargo, as from a shell. What it tells a test about the package would make build scripts that look at it run again, and
/// everything that depends on them be built anew, there and back.
#[must_use]
pub fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    let told = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(told)) {
        cargo.env_remove(name);
    }
    cargo
}
