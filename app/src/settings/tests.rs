//! What is read, what is refused, and what is shown.

use super::*;

fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::read(None, variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn refusal(variables: &[(&str, &str)]) -> String {
    read(variables).expect_err("refused").to_string()
}

#[test]
fn the_defaults_are_whole() {
    let settings = read(&[]).expect("the defaults serve");
    assert_eq!(settings.http.listen, "127.0.0.1:8080");
    assert_eq!(settings.database_url("users").expect("a URL"), "sqlite://data/users.db");
    assert!(settings.origins().iter().all(|setting| setting.origin == "default"));
}

#[test]
fn the_environment_overrides_a_file_and_a_file_the_defaults() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("shop.toml");
    std::fs::write(
        &path,
        "[http]\nlisten = \"127.0.0.1:1\"\nbody_limit = 5\n[inventory]\nreservation_ttl = \"2s\"\n",
    )
    .expect("written");
    let variables =
        [("CLEAVE__HTTP__LISTEN", "127.0.0.1:2"), ("CLEAVE__HTTP__CORS_ORIGINS", "http://a, http://b")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let settings = Settings::read(Some(&path), variables).expect("reads");
    assert_eq!((settings.http.listen.as_str(), settings.http.body_limit), ("127.0.0.1:2", 5));
    assert_eq!(settings.http.cors_origins, ["http://a", "http://b"]);
    let origin = |key: &str| {
        let found = settings.origins().iter().find(|setting| setting.key == key);
        found.expect("a setting").origin.clone()
    };
    assert_eq!(origin("http.listen"), "CLEAVE__HTTP__LISTEN");
    assert_eq!(origin("http.body_limit"), path.display().to_string());
    assert_eq!(origin("inventory.reservation_ttl"), path.display().to_string());
    assert_eq!(origin("orders.max_total"), "default");
}

#[test]
fn unknown_keys_and_variables_are_named() {
    assert!(refusal(&[("CLEAVE__HTTP__LISTN", "x")]).contains("http.listn"));
    assert!(refusal(&[("CLEAVE__HTTP__LISTN", "x")]).contains("did you mean http.listen"));
    assert!(refusal(&[("CLEAVE_HTTP_LISTEN", "x")]).contains("CLEAVE_HTTP_LISTEN"));
    assert!(refusal(&[("CLEAVE__USERS__ADMIN__EMAIL", "x")]).contains("users.admin.email"));
    assert!(refusal(&[("CLEAVE__BUS__PORTS__SHIPPING__QUEUE", "1")]).contains("bus.ports.shipping"));
    assert!(refusal(&[("CLEAVE__BUS__PORTS__INVENTORY__DEADLINES__FLY", "1s")]).contains("inventory.fly"));
}

#[test]
fn wrong_values_are_named() {
    for (name, value, key) in [
        ("CLEAVE__HTTP__BODY_LIMIT", "lots", "http.body_limit"),
        ("CLEAVE__HTTP__HEAD_TIMEOUT", "5", "http.head_timeout"),
        ("CLEAVE__HTTP__MAX_IN_FLIGHT", "0", "http.max_in_flight"),
        ("CLEAVE__BUS__EXECUTOR", "threads", "bus.executor"),
        ("CLEAVE__BUS__STRICT", "perhaps", "bus.strict"),
        ("CLEAVE__DURABLE__BATCH", "0", "durable.batch"),
        ("CLEAVE__LOG__FORMAT", "xml", "log.format"),
        ("CLEAVE__SANDBOX__WEBHOOK_COPIES", "0", "sandbox.webhook_copies"),
    ] {
        let refused = refusal(&[(name, value)]);
        assert!(refused.contains(key), "{name}={value}: {refused}");
    }
}

/// Section 5.12: what is printed shows no secret.
#[test]
fn secrets_are_masked() {
    let settings = read(&[
        ("CLEAVE__ADMIN__PASSWORD", "Pw-CANARY-9c1e"),
        ("CLEAVE__PAYMENTS__WEBHOOK_SECRET", "whsec_CANARY"),
        ("CLEAVE__NOTIFICATIONS__SMTP__HOST", "mail"),
        ("CLEAVE__NOTIFICATIONS__SMTP__PASSWORD", "CANARY-smtp"),
        ("CLEAVE__ORDERS__DATABASE_URL", "postgres://shop:CANARY@db/orders"),
    ])
    .expect("reads");
    let shown = format!("{settings:?}");
    assert!(!shown.contains("CANARY"), "{shown}");
    let url = settings.origins().iter().find(|setting| setting.key == "orders.database_url").expect("there");
    assert_eq!(url.value, "\"postgres://shop:***@db/orders\"");
    let limit =
        settings.origins().iter().find(|s| s.key == "users.wrong_passwords_per_minute").expect("there");
    assert_eq!(limit.value, "10");
}

#[test]
fn a_port_has_its_own_limits() {
    let settings = read(&[
        ("CLEAVE__BUS__PORTS__INVENTORY__CONCURRENCY", "7"),
        ("CLEAVE__BUS__PORTS__INVENTORY__DEADLINES__RESERVE", "250ms"),
    ])
    .expect("reads");
    let policies = settings.bus.policies().expect("sound");
    assert_eq!(policies.port("inventory").concurrency, 7);
    assert_eq!(policies.port("orders").concurrency, 256);
    assert_eq!(policies.deadline("inventory", "inventory.reserve").as_millis(), 250);
}
