//! The built program with a settings file that changes under it: SIGHUP and the admin's order.

use crate::{
    client::Client,
    fixture::{eventually, text},
    upstream::Upstream,
};
use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

struct Process {
    child: Child,
    address: SocketAddr,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(directory: &Path, file: &Path) -> Process {
    let child = Command::new(env!("CARGO_BIN_EXE_cleave"))
        .arg("--config")
        .arg(file)
        .current_dir(directory)
        .env("CLEAVE__DATA_DIR", directory.join("data"))
        .env("CLEAVE__HTTP__LISTEN", "127.0.0.1:0")
        .env("CLEAVE__ADMIN__EMAIL", "admin@example.test")
        .env("CLEAVE__ADMIN__PASSWORD", "a brass lantern at noon")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program runs");
    let mut process = Process { child, address: SocketAddr::from(([0; 4], 0)) };
    let lines = BufReader::new(process.child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let mut said = Vec::new();
    for line in lines {
        if let Some(address) = line.strip_prefix("Cleave listens on http://") {
            process.address = address.parse().expect("an address");
            return process;
        }
        said.push(line);
    }
    panic!("it does not start: {said:?}");
}

fn route(path: &str, upstream: &Upstream) -> String {
    format!("[[gateway.routes]]\npath = \"{path}\"\nauth = \"none\"\nupstream = [\"{}\"]\n", upstream.url())
}

/// C25: a changed file is taken on SIGHUP and on the admin's order; a wrong one leaves the routes as they are.
#[test]
fn a_changed_file_is_taken_when_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("settings.toml");
    let upstream = Upstream::text("x");
    let write = |text: String| std::fs::write(&file, text).expect("written");
    write(route("/one", &upstream));
    let process = start(directory.path(), &file);
    let status = |path: &str| Client::connect(process.address).ask(text("GET", path, &[], "")).status;
    let hang_up = || {
        let done = Command::new("kill").args(["-HUP", &process.child.id().to_string()]).status();
        assert!(done.expect("kill is there").success());
    };
    assert_eq!((status("/one"), status("/two")), (200, 404));

    write(route("/two", &upstream));
    hang_up();
    eventually("the file is taken", || status("/two") == 200);
    assert_eq!(status("/one"), 404);

    write(route("/api/v1/orders/{*rest}", &upstream));
    hang_up();
    write(route("/two", &upstream) + &route("/three", &upstream));
    hang_up();
    eventually("the process lives, and takes what is right again", || status("/three") == 200);

    let login = r#"{"email": "admin@example.test", "password": "a brass lantern at noon"}"#;
    let headers = [("Content-Type", "application/json")];
    let session =
        Client::connect(process.address).ask(text("POST", "/api/v1/sessions", &headers, login)).json();
    let bearer = format!("Bearer {}", session["access_token"].as_str().expect("a token"));
    let reload = || {
        let headers = [("Authorization", bearer.as_str())];
        Client::connect(process.address).ask(text("POST", "/api/v1/admin/gateway/reload", &headers, ""))
    };
    for (wrong, what) in [
        (route("/four", &upstream) + "retry = 99\n", "gateway.routes[0].retry"),
        (route("/four", &upstream) + &route("/api/v1/orders/{id}", &upstream), "would hide /api/v1/orders"),
        (route("/four", &upstream) + "[http]\nlisten_on = \"x\"\n", "http.listen_on"),
        ("[[gateway.routes]\n".to_owned(), "the settings cannot be read"),
    ] {
        write(wrong);
        let answer = reload();
        assert_eq!(answer.problem(), (422, "invalid_settings".into()), "{what}");
        assert!(answer.text().contains(what), "{what}: {}", answer.text());
        assert_eq!((status("/two"), status("/three"), status("/four")), (200, 200, 404), "{what}");
    }
    write(route("/four", &upstream));
    let answer = reload();
    assert_eq!((answer.status, answer.json()["data"][0]["path"].as_str()), (200, Some("/four")));
    assert_eq!((status("/two"), status("/four")), (404, 200));
}
