//! Routes are changed all at once or not at all, while requests run.

use crate::{
    fixture::{Server, eventually, route, text},
    upstream::Upstream,
};
use serde_json::{Value, json};
use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
};

fn write(server: &Server, routes: Value) {
    *server.written.lock().expect("not poisoned") = Ok(routes);
}

const ADMIN: [(&str, &str); 1] = [("Authorization", "Bearer admin")];

/// C25: under load, a hundred changes cost nobody an error.
#[test]
fn a_reload_under_load_costs_nobody_an_error() {
    let (one, two) = (Upstream::text("one"), Upstream::text("two"));
    let to = |upstream: &Upstream| json!([route("/up/{*rest}", &upstream.url(), json!({}))]);
    let server = Arc::new(Server::with(to(&one), |_| {}));
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (server, stop, answered) = (Arc::clone(&server), Arc::clone(&stop), Arc::clone(&answered));
            std::thread::spawn(move || {
                let mut client = server.connect();
                while !stop.load(Ordering::SeqCst) {
                    let answer = client.ask(text("POST", "/up/x", &[], "a body"));
                    assert_eq!(answer.status, 200, "{answer:?}");
                    assert!(matches!(answer.text().as_str(), "one" | "two"));
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for i in 0..100 {
        write(&server, if i % 2 == 0 { to(&two) } else { to(&one) });
        server.proxy.reload().expect("reloaded");
        let enough = answered.load(Ordering::SeqCst) + 4;
        eventually("requests go on", || answered.load(Ordering::SeqCst) >= enough);
    }
    stop.store(true, Ordering::SeqCst);
    clients.into_iter().for_each(|client| client.join().expect("no error"));
    assert!(!one.asked().is_empty() && !two.asked().is_empty());
}

/// C25: what is wrong changes nothing, and says what is wrong, to admins only.
#[test]
fn a_wrong_change_changes_nothing() {
    let upstream = Upstream::text("x");
    let good = json!([route("/up/{*rest}", &upstream.url(), json!({}))]);
    let server = Server::with(good.clone(), |_| {});
    let path = "/api/v1/admin/gateway/reload";
    assert_eq!(server.send("POST", path, &[], "").status, 401);
    assert_eq!(server.send("POST", path, &[("Authorization", "Bearer staff")], "").status, 403);
    for (wrong, key) in [
        (json!([good[0], route("up", &upstream.url(), json!({}))]), "gateway.routes[1].path"),
        (json!([route("/api/v1/things/{*x}", &upstream.url(), json!({}))]), "gateway.routes[0].path"),
        (json!([route("/new", "ftp://x", json!({}))]), "gateway.routes[0].upstream[0]"),
        (json!([{"path": "/new"}]), "auth"),
    ] {
        write(&server, wrong);
        let answer = server.send("POST", path, &ADMIN, "");
        assert_eq!(answer.problem(), (422, "invalid_settings".into()));
        assert!(answer.json()["detail"].as_str().expect("told").contains(key), "{}", answer.text());
        assert_eq!(server.get("/up/x").text(), "x", "as before");
        assert_eq!(server.get("/new").status, 404);
    }
    *server.written.lock().expect("not poisoned") = Err("the file is not there".into());
    assert!(server.send("POST", path, &ADMIN, "").text().contains("the file is not there"));
    assert_eq!(server.get("/up/x").text(), "x");
}

/// The admin sees what is in force, and a change is in force when its answer comes.
#[test]
fn the_routes_in_force_are_shown() {
    let upstream = Upstream::text("x");
    let section = json!({
        "rewrite": "/v2/{rest}", "methods": ["GET"], "auth": "staff", "timeout": "9s", "retry": 2, "upgrade": ["websocket"],
    });
    let server = Server::to(&upstream.url(), section);
    let list = "/api/v1/admin/gateway/routes";
    assert_eq!(server.send("GET", list, &[("Authorization", "Bearer staff")], "").status, 403);
    let shown = server.send("GET", list, &ADMIN, "").json();
    let expected = json!({"data": [{
        "path": "/up/{*rest}", "rewrite": "/v2/{rest}", "methods": ["GET"], "auth": "staff", "discover": null,
        "instances": [{"address": upstream.url(), "suspect": false}],
        "timeout_ms": 9000, "idle_timeout_ms": 30000, "connect_timeout_ms": 2000, "retry": 2, "max_body": 1_048_576,
        "in_flight": 0, "upgrade": ["websocket"], "upgraded": 0,
    }], "next_cursor": null});
    assert_eq!(shown, expected);
    write(&server, json!([route("/other", &upstream.url(), json!({}))]));
    let shown = server.send("POST", "/api/v1/admin/gateway/reload", &ADMIN, "").json();
    assert_eq!(
        (shown["data"].as_array().map(Vec::len), &shown["data"][0]["path"]),
        (Some(1), &json!("/other"))
    );
    assert_eq!((server.get("/other").status, server.get("/up/x").status), (200, 404));
}

/// What runs when its route goes ends as it began, and a route that stays keeps what it has counted.
#[test]
fn what_runs_outlives_its_route() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let upstream = Upstream::answering(move |_, socket| {
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab");
        wait.lock().expect("not poisoned").recv().expect("told");
        socket.write_all(b"cd").is_ok()
    });
    let plain = Upstream::text("x");
    let limited = || route("/limited", &plain.url(), json!({"rate_limit": {"requests": 1, "window": "1h"}}));
    let server = Server::with(json!([limited(), route("/up", &upstream.url(), json!({}))]), |_| {});
    assert_eq!(server.get("/limited").status, 200);
    let mut client = server.connect();
    client.say(text("GET", "/up", &[], ""));
    eventually("it runs", || upstream.asked().len() == 1);
    write(&server, json!([limited()]));
    server.proxy.reload().expect("reloaded");
    assert_eq!(server.get("/up").status, 404);
    assert_eq!(server.get("/limited").status, 429, "the allowance is not given anew");
    go.send(()).expect("waited for");
    let answer = client.read(false).expect("an answer");
    assert_eq!((answer.text().as_str(), answer.whole), ("abcd", true));
}
