//! What refuses to start, by name; and that the documented defaults are the modules' own.

use crate::world::{run, said, settings};
use std::{fmt::Debug, fs, os::unix::fs::PermissionsExt as _};

#[test]
fn a_wrong_or_unknown_setting_refuses_to_start_and_is_named() {
    let data = tempfile::tempdir().expect("a directory");
    for (name, value, named) in [
        ("CLEAVE__HTTP__LISTN", "x", "http.listn"),
        ("CLEAVE_DATA_DIR", "x", "CLEAVE_DATA_DIR"),
        ("CLEAVE__ORDERS__MAX_TOTAL", "much", "orders.max_total"),
        ("CLEAVE__INVENTORY__RESERVATION_TTL", "15", "inventory.reservation_ttl"),
        ("CLEAVE__PAYMENTS__PROVIDER", "stripe", "payments.provider"),
        ("CLEAVE__ORDERS__DATABASE_URL", "mysql://x", "orders.database_url"),
        ("CLEAVE__USERS__HASH_PASSES", "1", "users.hash_passes"),
        ("CLEAVE__PAYMENTS__WEBHOOK_SECRET", "short", "payments.webhook_secret"),
        ("CLEAVE__NOTIFICATIONS__SMTP__TLS", "maybe", "notifications.smtp"),
        ("CLEAVE__LOG__LEVEL", "a=b=c", "log.level"),
        ("CLEAVE__HTTP__LISTEN", "nowhere", "nowhere"),
    ] {
        let output = run(data.path(), &["serve"], &[(name, value)]);
        assert_eq!(output.status.code(), Some(2), "{name}: {}", said(&output));
        assert!(said(&output).contains(named), "{name}: {}", said(&output));
    }
    let output = run(data.path(), &["serve", "--config", "nowhere.toml"], &[]);
    assert!(!output.status.success() && said(&output).contains("nowhere.toml"), "{}", said(&output));
}

/// Section 5.12: a generated secret is its owner's alone, is never printed, and refuses to be read by others.
#[test]
fn a_secret_that_others_can_read_refuses_to_start() {
    let data = tempfile::tempdir().expect("a directory");
    let first = run(data.path(), &["seed", "--demo"], &[]);
    assert!(first.status.success(), "{}", said(&first));
    let secrets = data.path().join("data").join("secrets");
    let files: Vec<_> =
        fs::read_dir(&secrets).expect("there").map(|file| file.expect("a file").path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let mode = |path: &std::path::Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&files[0]), 0o600);
    assert_eq!(mode(&data.path().join("data")), 0o700);
    let secret = fs::read_to_string(&files[0]).expect("readable");
    assert!(secret.starts_with("whsec_") && !said(&first).contains(secret.trim()));
    fs::set_permissions(&files[0], fs::Permissions::from_mode(0o644)).expect("set");
    let refused = run(data.path(), &["seed", "--demo"], &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains("readable by others"), "{}", said(&refused));
}

#[test]
fn config_prints_what_is_in_force_and_where_it_came_from() {
    let data = tempfile::tempdir().expect("a directory");
    fs::write(data.path().join("cleave.toml"), "[orders]\nmax_total = 5000\n").expect("written");
    let output = run(data.path(), &["config"], &[("CLEAVE__ADMIN__PASSWORD", "Pw-CANARY-9c1e")]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    let line = |key: &str| text.lines().find(|line| line.starts_with(key)).expect("a line").to_owned();
    assert!(line("orders.max_total").contains("5000") && line("orders.max_total").ends_with("# cleave.toml"));
    assert!(line("http.listen").ends_with("# CLEAVE__HTTP__LISTEN"));
    assert!(line("bus.deadline").ends_with("# default"));
    assert!(line("admin.password").contains("***") && !text.contains("CANARY"), "{text}");
}

/// One documented place: what `default.toml` says is what the modules' own defaults are.
#[test]
fn the_documented_defaults_are_the_modules_own() {
    fn same<T: Debug>(documented: T, own: T) {
        assert_eq!(format!("{documented:?}"), format!("{own:?}"));
    }
    let data = tempfile::tempdir().expect("a directory");
    let settings = settings(data.path(), &[]);
    same(settings.module("users").expect("reads"), users::Settings::default());
    same(settings.module("inventory").expect("reads"), inventory::Settings::default());
    same(settings.module("orders").expect("reads"), orders::Settings::default());
    same(settings.module("payments").expect("reads"), payments::Settings::default());
    same(settings.module("notifications").expect("reads"), notifications::Settings::default());
    same(settings.durable.dispatch(), bus_durable::DispatchSettings::default());
    same(settings.durable.sagas(), bus_durable::saga::SagaSettings::default());
    same(settings.bus.policies().expect("sound").port("orders"), bus::Policy::default());
    let gateway = cleave::gateway::GatewaySettings {
        workers: 1,
        shutdown_timeout: std::time::Duration::from_secs(20),
        ..cleave::gateway::GatewaySettings::default()
    };
    same(settings.http.gateway(), gateway);
}
