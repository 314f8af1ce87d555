//! Who may depend on whom. The rule is data, the check is a function over the crates' dependencies, and so a
//! planted violation can be shown to be caught.

use cargo_metadata::{DependencyKind, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};

/// Each crate of ours with all that it depends on, tests aside.
pub type Dependencies = BTreeMap<String, BTreeSet<String>>;

/// The modules; each has an implementation, `-ports` and `-rest`.
pub const MODULES: [&str; 5] = ["users", "inventory", "orders", "payments", "notifications"];

/// What no module may know of: how it is served, and by what.
const TRANSPORTS: [&str; 8] =
    ["actix", "actix-rt", "actix-web", "reqwest", "async-nats", "lapin", "bus-actor", "edge"];

/// Reads the workspace.
///
/// # Panics
/// Where cargo cannot be asked.
#[must_use]
pub fn workspace() -> Dependencies {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec().expect("cargo metadata");
    let normal = |package: &cargo_metadata::Package| {
        let dependencies = package.dependencies.iter();
        dependencies
            .filter(|dependency| dependency.kind == DependencyKind::Normal)
            .map(|dependency| dependency.name.clone())
            .collect()
    };
    metadata.packages.iter().map(|package| (package.name.to_string(), normal(package))).collect()
}

/// Every dependency that the rule does not allow, as a sentence.
#[must_use]
pub fn violations(crates: &Dependencies) -> Vec<String> {
    let mut violations = Vec::new();
    for (name, dependencies) in crates {
        for dependency in dependencies {
            let ours = crates.contains_key(dependency);
            if ours && !may_depend(name, dependency) {
                violations.push(format!("{name} must not depend on {dependency}"));
            }
            let is_plain = is_implementation(name) || name.ends_with("-ports") || name == "bus-durable";
            if is_plain && TRANSPORTS.contains(&dependency.as_str()) {
                violations.push(format!("{name} must know of no transport, and depends on {dependency}"));
            }
        }
    }
    violations
}

fn is_implementation(name: &str) -> bool {
    MODULES.contains(&name)
}

fn is_ports(name: &str) -> bool {
    name.strip_suffix("-ports").is_some_and(|module| MODULES.contains(&module))
}

fn may_depend(name: &str, on: &str) -> bool {
    match name {
        "kernel" | "bus" | "migrations" => false,
        "bus-durable" => matches!(on, "bus" | "kernel"),
        "bus-testkit" => matches!(on, "bus" | "bus-actor"),
        "edge" => matches!(on, "bus" | "kernel"),
        "sandbox" => on == "kernel",
        "cleave" | "tests" | "contract-gate" => true,
        name if name.starts_with("bus-") => on == "bus",
        name if is_ports(name) => matches!(on, "bus" | "kernel"),
        name if name.ends_with("-rest") => matches!(on, "edge" | "bus" | "kernel") || is_ports(on),
        name if is_implementation(name) => matches!(on, "bus" | "bus-durable" | "kernel") || is_ports(on),
        _ => false,
    }
}
