//! The doctor finds damage, repairs what can be derived, and keeps its hands off a running shop.

use crate::world::{Client, eventually, run, said, settings, sql, start};
use cleave::App;

/// F15: stock = ledger, reserved = live reservations; repaired from what they are derived from.
#[test]
fn damaged_stock_is_found_and_put_right() {
    let data = tempfile::tempdir().expect("a directory");
    let files = data.path().join("data");
    run(data.path(), &["seed", "--demo"], &[]);
    let healthy = run(data.path(), &["doctor"], &[]);
    assert_eq!(healthy.status.code(), Some(0), "{}", said(&healthy));
    assert!(said(&healthy).contains("Everything adds up"), "{}", said(&healthy));
    let damage =
        "UPDATE variant SET on_hand = on_hand + 5, reserved = 2 WHERE sku IN ('MUG-BLUE', 'PEN-FINE')";
    assert_eq!(cleave::block_on(sql(&files, "inventory", damage)), 2, "the damage is done");
    let found = run(data.path(), &["doctor"], &[]);
    assert_eq!(found.status.code(), Some(1), "{}", said(&found));
    for line in ["OFF      stock on hand = ledger: 2", "OFF      reserved = live reservations: 2", "MUG-BLUE"]
    {
        assert!(said(&found).contains(line), "{line}: {}", said(&found));
    }
    let fixed = run(data.path(), &["doctor", "--fix"], &[]);
    assert_eq!(fixed.status.code(), Some(0), "{}", said(&fixed));
    assert!(
        said(&fixed).contains("repaired MUG-BLUE: on hand 125 → 120, reserved 2 → 0"),
        "{}",
        said(&fixed)
    );
    assert_eq!(run(data.path(), &["doctor"], &[]).status.code(), Some(0));
}

/// What no row can tell is named and left to a person: money is never made up.
#[test]
fn money_that_orders_and_payments_disagree_about_is_found() {
    let data = tempfile::tempdir().expect("a directory");
    let files = data.path().join("data");
    cleave::block_on(async {
        let app = App::start(settings(&files, &[])).await.expect("starts");
        let (admin, buyer) = (Client::admin(&app).await, Client::buyer(&app, "ada@example.test").await);
        admin.stock("MUG", 5).await;
        assert_eq!(buyer.order("MUG", "k").await.expect("an answer").status, 201);
        let arrived = || async {
            let (stock, told) =
                (admin.get("/api/v1/stock/MUG").await, admin.get("/api/v1/notifications").await);
            stock.json["on_hand"] == 4 && told.json["data"].as_array().is_some_and(|told| told.len() == 2)
        };
        eventually("the stock has left the shelf, greeting and confirmation are sent", arrived).await;
        app.stop().await;
    });
    let damage = "UPDATE orders SET status = 'cancelled'";
    assert_eq!(cleave::block_on(sql(&files, "orders", damage)), 1, "the damage is done");
    for arguments in [&["doctor"][..], &["doctor", "--fix"]] {
        let found = run(data.path(), arguments, &[]);
        assert_eq!(found.status.code(), Some(1), "{}", said(&found));
        for line in ["OFF      an order's money", "OFF      an order's stock"] {
            assert!(said(&found).contains(line), "{line}: {}", said(&found));
        }
    }
}

#[test]
fn the_doctor_refuses_while_a_server_runs() {
    let data = tempfile::tempdir().expect("a directory");
    cleave::block_on(async {
        let app = start(&data.path().join("data")).await;
        let path = data.path().to_owned();
        let refused = tokio::task::spawn_blocking(move || run(&path, &["doctor"], &[])).await.expect("runs");
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        assert!(said(&refused).contains("in use by another process"), "{}", said(&refused));
        app.stop().await;
    });
}
