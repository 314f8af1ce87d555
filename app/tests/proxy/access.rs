//! Who may call a route, and how often.

use crate::{
    fixture::{Server, route},
    upstream::Upstream,
};
use serde_json::json;

/// Section 5.1, API5: nobody is 401, too little is 403, and neither reaches the upstream.
#[test]
fn a_route_says_who_may_call() {
    let upstream = Upstream::text("x");
    let levels = ["none", "user", "staff", "admin"];
    let routes: Vec<_> = levels
        .iter()
        .map(|auth| route(&format!("/{auth}/{{*rest}}"), &upstream.url(), json!({"auth": auth})))
        .collect();
    let server = Server::with(json!(routes), |_| {});
    for (token, statuses) in [
        (None, [200, 401, 401, 401]),
        (Some("nonsense"), [200, 401, 401, 401]),
        (Some("customer"), [200, 200, 403, 403]),
        (Some("staff"), [200, 200, 200, 403]),
        (Some("admin"), [200, 200, 200, 200]),
    ] {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = bearer.iter().map(|bearer| ("Authorization", bearer.as_str())).collect();
        for (auth, status) in levels.iter().zip(statuses) {
            let before = upstream.asked().len();
            let answer = server.send("GET", &format!("/{auth}/x"), &headers, "");
            assert_eq!(answer.status, status, "{token:?} at {auth}");
            assert_eq!(upstream.asked().len() - before, usize::from(status == 200));
            if status == 401 {
                assert!(answer.header("www-authenticate").is_some());
            }
        }
    }
}

/// Section 5.6: a route has an allowance of its own for each caller or address, and it is told.
#[test]
fn a_route_limits_its_callers() {
    let upstream = Upstream::text("x");
    let limit = json!({"rate_limit": {"requests": 2, "window": "1m"}});
    let for_users = json!({"auth": "user", "rate_limit": {"requests": 2, "window": "1m"}});
    let server = Server::with(
        json!([
            route("/open", &upstream.url(), limit),
            route("/users", &upstream.url(), for_users),
            route("/free", &upstream.url(), json!({})),
        ]),
        |_| {},
    );
    let statuses: Vec<u16> = (0..3).map(|_| server.get("/open").status).collect();
    assert_eq!(statuses, [200, 200, 429]);
    let answer = server.get("/open");
    assert_eq!(answer.problem(), (429, "rate_limited".into()));
    assert_eq!(answer.json()["violated-policies"][0], "route");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(answer.header("ratelimit-policy").as_deref(), Some("\"route\";q=2;w=60"));
    assert_eq!(server.get("/free").status, 200, "another route is not concerned");
    for token in ["Bearer customer", "Bearer staff"] {
        let statuses: Vec<u16> =
            (0..3).map(|_| server.send("GET", "/users", &[("Authorization", token)], "").status).collect();
        assert_eq!(statuses, [200, 200, 429], "{token}");
    }
    // C31: what a client writes makes it no other client.
    assert_eq!(server.send("GET", "/open", &[("X-Forwarded-For", "9.9.9.9")], "").status, 429);
}
