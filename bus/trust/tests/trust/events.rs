//! Events: a peer tells those of the modules that it speaks for, and no others.

use crate::world::{Sent, World, headers};
use bus::Transport as _;
use bus_trust::Identity;
use std::sync::Arc;

async fn batch(world: &World, sender: &Arc<Identity>, batch: &str) -> Sent {
    let call = Sent {
        name: "inventory.inbox".into(),
        headers: headers(&[]),
        bytes: batch.to_owned().into_bytes().into(),
    };
    world.catch(sender, "inventory", call).await
}

fn from(sources: &[&str]) -> String {
    let events = sources.iter().map(|source| {
        serde_json::json!({
            "specversion": "1.0", "id": "1", "source": source, "type": "orders.order_placed.v1",
            "data": {"source": "/payments", "total": 5},
        })
    });
    serde_json::Value::from_iter(events).to_string()
}

#[tokio::test]
async fn a_module_tells_its_own_events() {
    let world = World::new();
    for sources in [&[][..], &["/orders"], &["orders"], &["/orders", "orders", "/orders"]] {
        let sent = batch(&world, &world.orders, &from(sources)).await;
        let answer = world.guard.deliver(&sent.name, sent.headers.clone(), sent.bytes.clone()).await;
        assert_eq!(answer, Ok(sent.bytes));
    }
    // An escape is another way to write the same.
    world.taken(&batch(&world, &world.orders, r#"[{"source": "\/order\u0073"}]"#).await).await;
}

/// Section 5.11: the right schema from the wrong producer.
#[tokio::test]
async fn an_event_of_a_foreign_source_is_refused() {
    let world = World::new();
    const REASON: &str = "may not speak for";
    for sources in [
        &["/payments"][..],
        &["/orders", "/payments"],
        &["/orders", "/orders", "payments", "/orders"],
        &["//orders"],
        &["/orders/"],
        &["/orders/x"],
        &["/Orders"],
        &["orders "],
        &[""],
        &["/"],
        &["https://shop.example/orders"],
    ] {
        world.refused(&batch(&world, &world.orders, &from(sources)).await, REASON).await;
    }
    // Who may call the module may not therefore tell it events.
    world.refused(&batch(&world, &world.gateway, &from(&["/orders"])).await, REASON).await;
    world.taken(&batch(&world, &world.payments, &from(&["/payments"])).await).await;
}

#[tokio::test]
async fn what_cannot_be_read_is_refused() {
    let world = World::new();
    for unreadable in [
        "",
        "null",
        "{}",
        r#"{"source": "/orders"}"#,
        "[1]",
        "[{}]",
        r#"[["/orders", "and more"]]"#,
        r#"[{"source": 5}]"#,
        r#"[{"source": null}]"#,
        r#"[{"Source": "/orders"}]"#,
        r#"[{"source": "/orders"}"#,
        r#"[{"source": "/orders"}] []"#,
        // Which of the two would the next reader take?
        r#"[{"source": "/orders", "source": "/payments"}]"#,
        r#"[{"source": "/payments", "source": "/orders"}]"#,
        // Deep inside is not where an envelope says it.
        r#"[{"message": {"source": "/orders"}}]"#,
        "[{\"source\": \"/orders\u{0}\"}]",
    ] {
        world.refused(&batch(&world, &world.orders, unreadable).await, "cannot be read").await;
    }
    // Deep nesting is passed over without recursion.
    let nested =
        format!("[{{\"source\":\"/orders\",\"data\":{}1{}}}]", "[".repeat(100_000), "]".repeat(100_000));
    world.taken(&batch(&world, &world.orders, &nested).await).await;
}

/// What a peer speaks for can be said apart from what it runs: a process that a module has left still sends the rest of
/// its events.
#[tokio::test]
async fn what_a_peer_speaks_for_can_be_declared() {
    let world = World::new();
    let mut roster = world.roster.clone();
    let payments = roster.peers.get_mut("payments").expect("known");
    payments.speaks_for = Some(vec!["payments".into(), "orders".into()]);
    roster.peers.get_mut("orders").expect("known").speaks_for = Some(vec![]);
    world.peers.replace(roster).expect("a good roster");
    world.taken(&batch(&world, &world.payments, &from(&["/payments", "/orders"])).await).await;
    world.refused(&batch(&world, &world.orders, &from(&["/orders"])).await, "may not speak for").await;
}
