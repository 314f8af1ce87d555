//! Health, readiness, metrics, the contract and its page, the modules.

use crate::fixture::{Server, recorder};
use cleave::gateway::Health;

/// The contract: alive is alive; ready is every module ready, and not on the way out.
#[test]
fn readiness_follows_the_modules() {
    let server = Server::start();
    assert_eq!(server.get("/healthz").status, 200);
    let ready = server.get("/readyz");
    assert_eq!((ready.status, ready.json()["status"].as_str()), (200, Some("ready")));
    assert_eq!(ready.json()["modules"][0]["module"], "things");
    assert_eq!(ready.json()["modules"][0]["placement"], "local");
    for (health, status) in [(Health::Starting, "starting"), (Health::Failed, "failed")] {
        *server.health.lock().expect("not poisoned") = health;
        let answer = server.get("/readyz");
        assert_eq!((answer.status, answer.json()["status"].as_str()), (503, Some(status)));
        assert_eq!(server.get("/healthz").status, 200);
    }
    *server.health.lock().expect("not poisoned") = Health::Ready;
    server.lifecycle.drain();
    let answer = server.get("/readyz");
    assert_eq!((answer.status, answer.json()["status"].as_str()), (503, Some("draining")));
    assert_eq!(server.get("/api/v1/things").status, 200, "a draining server still serves");
}

/// Section 5.12: paths, ids and methods that a client makes up add no series.
#[test]
fn metrics_have_few_series() {
    let server = Server::start();
    let series = |text: &str| {
        // As these requests are answered: those of the tests beside this one are refused in other ways.
        let statuses = ["status=\"404\"", "status=\"405\""];
        let made_up = |line: &&str| {
            line.starts_with("http_request")
                && line.contains("unmatched")
                && (!line.contains("status=") || statuses.iter().any(|status| line.contains(status)))
        };
        let (get, other) = ("method=\"GET\"", "method=\"other\"");
        text.lines().filter(made_up).filter(|line| line.contains(get) || line.contains(other)).count()
    };
    server.get("/nowhere");
    server.send("BREW", "/nowhere", &[], "");
    let before = series(&recorder().render());
    for i in 0..100 {
        server.get(&format!("/nowhere/{i}"));
        server.get(&format!("/api/v1/things/{i}"));
        server.send(&format!("BREW{i}"), "/nowhere", &[], "");
    }
    let text = String::from_utf8(server.get("/metrics").body).expect("text");
    assert!(series(&text) <= before + 1, "{text}");
    assert!(!text.contains("/nowhere") && !text.contains("BREW"));
    assert!(text.contains("route=\"/api/v1/things/{id}\""), "{text}");
    assert!(text.contains("http_request_seconds"));
    assert!(
        server
            .get("/metrics")
            .header("content-type")
            .expect("there")
            .starts_with("text/plain; version=0.0.4")
    );
}

/// The contract is served, in the version that it says, with the gateway's own routes in it.
#[test]
fn the_contract_is_served() {
    let server = Server::start();
    let document = server.get("/openapi.json").json();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    for path in
        ["/healthz", "/readyz", "/metrics", "/openapi.json", "/api/v1/admin/modules", "/api/v1/things"]
    {
        assert!(document["paths"][path]["get"].is_object(), "{path}");
    }
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}

/// The page loads nothing from elsewhere, and its own policy lets it load what it has.
#[test]
fn the_page_needs_no_network() {
    let server = Server::start();
    let moved = server.get("/docs");
    assert_eq!((moved.status, moved.header("location")), (308, Some("docs/")));
    let page = server.get("/docs/");
    let html = String::from_utf8(page.body.clone()).expect("text");
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").expect("there").starts_with("text/html"));
    let policy = page.header("content-security-policy").expect("there");
    assert!(policy.contains("script-src 'self';") && policy.contains("connect-src 'self'"), "{policy}");
    assert!(!html.contains("http://") && !html.contains("https://"), "{html}");
    assert!(!html.contains("<script>"), "the policy allows no inline scripts");
    let mut files = 0;
    for part in html.split(['"', '\'']).filter(|part| part.ends_with(".js") || part.ends_with(".css")) {
        let file = server.get(&format!("/docs/{}", part.trim_start_matches("./")));
        assert_eq!(file.status, 200, "{part}");
        files += 1;
    }
    assert!(files >= 4, "{html}");
    let setup = server.get("/docs/swagger-initializer.js");
    let setup = String::from_utf8(setup.body).expect("text");
    assert!(setup.contains("/openapi.json") && !setup.contains("petstore"), "{setup}");
    assert_eq!(server.get("/docs/../Cargo.toml").status, 404);
}

/// Section 5.1 (API5): the modules are for admins.
#[test]
fn the_modules_are_shown_to_admins() {
    let server = Server::start();
    assert_eq!(server.get("/api/v1/admin/modules").status, 401);
    assert_eq!(server.get_as("staff", "/api/v1/admin/modules").status, 403);
    let modules = server.get_as("admin", "/api/v1/admin/modules");
    assert_eq!(modules.status, 200);
    assert!(modules.json()["data"].is_array());
}
