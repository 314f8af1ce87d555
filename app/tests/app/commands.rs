//! The built program's commands.

use crate::world::{Client, run, said, settings, sql};
use cleave::App;

/// F26: non-interactive, `--check` tells without touching, and a newer schema is refused.
#[test]
fn migrate_checks_applies_and_refuses_a_newer_schema() {
    let data = tempfile::tempdir().expect("a directory");
    let files = data.path().join("data");
    let pending = run(data.path(), &["migrate", "--check"], &[]);
    assert_eq!(pending.status.code(), Some(1), "{}", said(&pending));
    assert!(said(&pending).contains("inventory: 4 pending"), "{}", said(&pending));
    assert!(!files.join("inventory.db").exists(), "looking makes nothing");
    assert_eq!(run(data.path(), &["migrate"], &[]).status.code(), Some(0));
    let settled = run(data.path(), &["migrate", "--check"], &[]);
    assert_eq!(settled.status.code(), Some(0), "{}", said(&settled));
    cleave::block_on(sql(
        &files,
        "inventory",
        "INSERT INTO inventory_migrations (version, applied_at) VALUES ('m9999_of_tomorrow', 0)",
    ));
    for arguments in [&["migrate", "--check"][..], &["migrate"], &["serve"], &["doctor"]] {
        let refused = run(data.path(), arguments, &[]);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {}", said(&refused));
        assert!(said(&refused).contains("m9999_of_tomorrow"), "{arguments:?}: {}", said(&refused));
    }
}

#[test]
fn seeding_twice_seeds_once_and_shows_each_password_once() {
    let data = tempfile::tempdir().expect("a directory");
    let first = said(&run(data.path(), &["seed", "--demo"], &[]));
    let second = said(&run(data.path(), &["seed", "--demo"], &[]));
    assert!(first.contains("12 products added, 0 were there"), "{first}");
    assert!(second.contains("0 products added, 12 were there"), "{second}");
    assert!(!second.contains("password"), "{second}");
    let password = |email: &str| {
        let line = first.lines().find(|line| line.starts_with(email)).expect("a line");
        line.rsplit(' ').next().expect("a password").to_owned()
    };
    let (staff, customer) = (password("staff@cleave.local"), password("customer@cleave.local"));
    cleave::block_on(async {
        let app = App::start(settings(&data.path().join("data"), &[])).await.expect("starts");
        let public = Client::of(&app);
        let products = public.get("/api/v1/products?limit=100").await;
        assert_eq!(products.json["data"].as_array().map(Vec::len), Some(12));
        let mug = public.get("/api/v1/products?q=mug").await;
        assert_eq!(mug.json["data"][0]["variants"][0]["sku"], "MUG-BLUE");
        let staff = public.signed_in("staff@cleave.local", &staff).await;
        assert_eq!(staff.get("/api/v1/stock/MUG-BLUE").await.json["on_hand"], 120);
        let customer = public.signed_in("customer@cleave.local", &customer).await;
        assert_eq!(customer.order("MUG-BLUE", "k").await.expect("an answer").status, 201);
        assert_eq!(customer.get("/api/v1/stock/MUG-BLUE").await.status, 403);
        app.stop().await;
    });
}

#[test]
fn help_and_version_help() {
    let data = tempfile::tempdir().expect("a directory");
    let help = said(&run(data.path(), &["--help"], &[]));
    for command in ["serve", "migrate", "seed", "doctor", "config", "--config"] {
        assert!(help.contains(command), "{help}");
    }
    assert!(said(&run(data.path(), &["--version"], &[])).starts_with("cleave 0."));
    assert_eq!(run(data.path(), &["fly"], &[]).status.code(), Some(2));
}
