//! Routes as they are written in a file: what is wrong with one is named by its key.

use cleave::settings::Settings;
use std::io::Write as _;

fn read(text: &str) -> Result<Settings, String> {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().expect("a file");
    file.write_all(text.as_bytes()).expect("written");
    Settings::read(Some(file.path()), []).map_err(|error| error.to_string())
}

/// A whole route reads as it is documented.
#[test]
fn a_route_is_read() {
    let text = r#"
        [[gateway.routes]]
        path = "/blog/{*rest}"
        auth = "none"
        upstream = ["http://10.0.0.8:80/wp", "http://blog"]
        rewrite = "/{rest}"
        methods = ["GET", "POST"]
        rate_limit = { requests = 600, window = "1m" }
        timeout = "30s"
        idle_timeout = "30s"
        connect_timeout = "2s"
        retry = 1
        max_body = 104857600
        concurrency = 1000
        preserve_host = false
        upgrade = ["websocket"]
        max_upgrades = 1000

        [[gateway.routes]]
        path = "/shop/{id}"
        auth = "user"
        discover = "dns:shop.svc:80"
    "#;
    let settings = read(text).expect("read");
    assert_eq!(settings.gateway.routes.len(), 2);
    assert!(read("").expect("read").gateway.routes.is_empty());
}

/// What makes no sense is refused, and the refusal names the key.
#[test]
fn a_wrong_route_is_named() {
    let good = "path = \"/a\"\nauth = \"none\"\nupstream = [\"http://a\"]\n";
    for (route, key) in [
        (good.replace("= \"/a\"", "= \"a\""), "gateway.routes[1].path must begin with /"),
        (good.replace("= \"/a\"", "= \"/a/../b\""), "gateway.routes[1].path"),
        (good.replace("= \"/a\"", "= \"/a%20b\""), "gateway.routes[1].path"),
        (good.replace("= \"/a\"", "= \"/{*rest}/b\""), "gateway.routes[1].path"),
        (good.replace("= \"/a\"", "= \"/healthz\""), "gateway.routes[1].path would hide /healthz"),
        (good.replace("= \"/a\"", "= \"/metrics/{x}\""), "gateway.routes[1].path would hide /metrics"),
        (good.replace("= \"/a\"", "= \"/docs/{*rest}\""), "gateway.routes[1].path would hide /docs"),
        (
            good.replace("= \"/a\"", "= \"/.well-known/acme\""),
            "gateway.routes[1].path would hide /.well-known",
        ),
        (good.replace("= \"/a\"", "= \"/sandbox\""), "gateway.routes[1].path would hide /sandbox"),
        (good.replace("= \"/a\"", "= \"/openapi.json\""), "gateway.routes[1].path would hide /openapi.json"),
        (good.replace("= \"/a\"", "= \"/readyz/\""), "gateway.routes[1].path would hide /readyz"),
        (
            good.replace("= \"/a\"", "= \"/api/v1/admin/x\""),
            "gateway.routes[1].path would hide /api/v1/admin",
        ),
        (good.replace("= \"/a\"", "= \"/first\""), "gateway.routes[1].path is there before"),
        (good.replace("http://a", "ftp://a"), "gateway.routes[1].upstream[0]"),
        (good.to_owned() + "ca = \"/nowhere/ca.pem\"", "gateway.routes[1].ca"),
        (good.replace("http://a", "a:80"), "gateway.routes[1].upstream[0]"),
        (good.replace("[\"http://a\"]", "[]"), "gateway.routes[1].upstream"),
        (good.to_owned() + "discover = \"dns:a:1\"", "gateway.routes[1].discover"),
        (good.replace("upstream = [\"http://a\"]", "discover = \"a\""), "gateway.routes[1].discover"),
        (good.to_owned() + "rewrite = \"/{rest}\"", "gateway.routes[1].rewrite"),
        (good.to_owned() + "methods = []", "gateway.routes[1].methods"),
        (good.to_owned() + "methods = [\"get\"]", "gateway.routes[1].methods"),
        (good.to_owned() + "methods = [\"CONNECT\"]", "gateway.routes[1].methods"),
        (good.to_owned() + "retry = 6", "gateway.routes[1].retry"),
        (good.to_owned() + "concurrency = 0", "gateway.routes[1].concurrency"),
        (good.to_owned() + "max_upgrades = 0", "gateway.routes[1].max_upgrades"),
        (good.to_owned() + "upgrade = [\"h2c\"]", "gateway.routes[1].upgrade"),
        (good.to_owned() + "upgrade = [\"TLS/1.3\"]", "gateway.routes[1].upgrade"),
        (good.to_owned() + "rate_limit = { requests = 0, window = \"1m\" }", "gateway.routes[1].rate_limit"),
        (good.to_owned() + "timeout = \"0s\"", "timeout"),
        (good.to_owned() + "timeout = 5", "timeout"),
        (good.replace("none", "everybody"), "auth"),
        (good.replace("auth = \"none\"\n", ""), "auth"),
        (good.to_owned() + "time_out = \"5s\"", "time_out"),
    ] {
        let first = "[[gateway.routes]]\npath = \"/first\"\nauth = \"none\"\nupstream = [\"http://a\"]\n";
        let error = read(&format!("{first}[[gateway.routes]]\n{route}")).expect_err(&route);
        assert!(error.contains(key), "{key}: {error}");
    }
}
