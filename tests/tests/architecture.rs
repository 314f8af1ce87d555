//! The architecture holds, and the check that says so is not blind.

use std::{collections::BTreeSet, process::Command};
use tests::architecture::{MODULES, violations, workspace};

#[test]
fn every_dependency_is_allowed() {
    let crates = workspace();
    assert!(crates.len() >= 24, "the workspace was read: {crates:?}");
    assert_eq!(violations(&crates), Vec::<String>::new());
}

#[test]
fn a_planted_violation_is_caught() {
    for (name, on) in [
        ("orders", "inventory"),
        ("orders", "bus-actor"),
        ("inventory", "actix-web"),
        ("inventory-ports", "bus-durable"),
        ("inventory-rest", "inventory"),
        ("kernel", "bus"),
        ("bus", "kernel"),
        ("bus-actor", "kernel"),
        ("migrations", "kernel"),
        ("sandbox", "bus"),
        ("edge", "inventory-ports"),
    ] {
        let mut crates = workspace();
        let known = crates.get_mut(name).unwrap_or_else(|| panic!("{name} is a crate of ours"));
        known.insert(on.to_owned());
        let found = violations(&crates);
        assert!(
            found.iter().any(|text| text.contains(name) && text.contains(on)),
            "{name} → {on}: {found:?}"
        );
    }
}

/// What a one-module binary is built of.
fn tree(module: &str) -> BTreeSet<String> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--manifest-path", manifest, "-p", "cleave", "--no-default-features"])
        .args(["--features", module, "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .output()
        .expect("cargo tree runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn a_one_module_build_holds_no_other_modules_implementation() {
    for module in MODULES {
        let crates = tree(module);
        assert!(crates.contains(module), "{module} is in its own build");
        assert!(crates.contains(&format!("{module}-rest")));
        for other in MODULES.into_iter().filter(|other| *other != module) {
            assert!(!crates.contains(other), "{module}'s build holds {other}");
        }
        assert_eq!(crates.contains("sandbox"), module == "payments", "the sandbox goes with payments");
    }
}

/// Rust's own names must not be on the wire: every request and event has a stable string.
#[test]
fn names_on_the_wire_are_stable_strings() {
    let events = [
        users_ports::EVENTS,
        inventory_ports::EVENTS,
        orders_ports::EVENTS,
        payments_ports::EVENTS,
        notifications_ports::EVENTS,
    ];
    for event in events.into_iter().flatten() {
        let parts: Vec<&str> = event.split('.').collect();
        assert_eq!(parts.len(), 3, "{event} is module.event.version");
        assert!(MODULES.contains(&parts[0]) && parts[2].starts_with('v'), "{event}");
    }
}

/// A mutant that no longer finds its place would be tried in vain.
#[test]
fn every_mutant_finds_its_place() {
    for mutant in tests::mutants::MUTANTS {
        let path = format!("{}/../{}", env!("CARGO_MANIFEST_DIR"), mutant.file);
        let source = std::fs::read_to_string(&path).expect("a source file");
        assert_eq!(source.matches(mutant.original).count(), 1, "{}: {}", mutant.name, mutant.original);
        assert_ne!(mutant.original, mutant.fault);
    }
}
