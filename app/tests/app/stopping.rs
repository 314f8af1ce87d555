//! A stop loses nothing that was begun.

use crate::world::{Client, start};
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// B27: under load, nothing acknowledged is lost, nothing that was taken is left without an answer, and the end comes
/// within its deadline.
#[test]
fn a_stop_under_load_loses_nothing_and_leaves_nobody_without_an_answer() {
    let data = tempfile::tempdir().expect("a directory");
    cleave::block_on(async {
        let app = start(data.path()).await;
        let (admin, buyer) = (Client::admin(&app).await, Client::buyer(&app, "ada@example.test").await);
        admin.stock("MUG", 100_000).await;
        let placed: Arc<Mutex<Vec<String>>> = Arc::default();
        let refused: Arc<Mutex<Vec<String>>> = Arc::default();
        let clients: Vec<_> = (0..12)
            .map(|client| {
                let (buyer, placed, refused) = (buyer.clone(), Arc::clone(&placed), Arc::clone(&refused));
                bus::spawn(async move {
                    for n in 0.. {
                        let key = format!("{client}-{n}");
                        match buyer.order("MUG", &key).await {
                            Ok(answer) if answer.status == 201 => {
                                placed.lock().expect("not poisoned").push(key)
                            }
                            Ok(answer) => assert!(matches!(answer.status, 202 | 503), "{answer:?}"),
                            Err(_) => {
                                refused.lock().expect("not poisoned").push(key);
                                return;
                            }
                        }
                    }
                })
            })
            .collect();
        let many = async || placed.lock().expect("not poisoned").len() >= 40;
        bus_testkit::eventually("orders are placed", Duration::from_secs(60), many).await;
        let began = Instant::now();
        app.stop().await;
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        for client in clients {
            client.await.expect("no client saw nonsense");
        }

        let app = start(data.path()).await;
        let buyer = Client::of(&app).signed_in("ada@example.test", "a password for tests").await;
        let (placed, refused) =
            (placed.lock().expect("not poisoned").clone(), refused.lock().expect("not poisoned").clone());
        for key in &placed {
            let again = buyer.order("MUG", key).await.expect("an answer");
            assert!(again.status == 201 && again.replayed, "an acknowledged order is lost: {key} {again:?}");
        }
        assert!(!refused.is_empty(), "the stop was noticed");
        for key in &refused {
            let first = buyer.order("MUG", key).await.expect("an answer");
            assert!(!first.replayed, "a request was taken and left without an answer: {key} {first:?}");
        }
        let report = Client::admin(&app).await.get("/api/v1/admin/integrity").await;
        assert_eq!(report.json["violations"], 0, "{report:?}");
        app.stop().await;
    });
}
