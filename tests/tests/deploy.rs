//! The examples in deploy/: the process list is started and bought from, the settings of the others are read.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};
use tests::{
    http::{Connection, Request},
    process::{ADMIN, debug_binary},
    shop::order,
};

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(deploy().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The same text with every port in it exchanged for a free one, the same for the same.
fn on_free_ports(texts: [String; 2]) -> ([String; 2], BTreeMap<u16, u16>) {
    let named: Vec<u16> = (8080..8085).chain(9081..9086).collect();
    let listeners: Vec<_> = named.iter().map(|_| bus_testkit::free_listener().expect("a port")).collect();
    let free = listeners.iter().map(|listener| listener.local_addr().expect("bound").port());
    let ports: BTreeMap<u16, u16> = named.iter().copied().zip(free).collect();
    let exchange = |text: String| {
        ports.iter().fold(text, |text, (port, free)| text.replace(&format!(":{port}"), &format!(":{free}")))
    };
    (texts.map(exchange), ports)
}

/// Everything that was started, ended with the test.
struct Up(std::process::Child);

impl Up {
    fn terminate(&mut self) -> bool {
        let id = self.0.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
        self.0.wait().is_ok()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        self.terminate();
    }
}

#[tokio::test]
async fn the_process_list_is_a_shop_in_five_processes() {
    let directory = tempfile::tempdir().expect("a directory");
    let ([procfile, shop], ports) = on_free_ports([read("local/Procfile"), read("local/shop.toml")]);
    std::fs::write(directory.path().join("Procfile"), procfile).expect("written");
    std::fs::write(directory.path().join("shop.toml"), shop).expect("written");
    let log = std::fs::File::create(directory.path().join("log")).expect("a log");
    let mut up = Up(Command::new(deploy().join("local/up"))
        .current_dir(directory.path())
        .env("PROGRAM", debug_binary())
        .env("PROCFILE", directory.path().join("Procfile"))
        .env("SHOP", directory.path().join("shop.toml"))
        .env("CLEAVE__ADMIN__EMAIL", ADMIN.0)
        .env("CLEAVE__ADMIN__PASSWORD", ADMIN.1)
        .stdout(log.try_clone().expect("a log"))
        .stderr(log)
        .spawn()
        .expect("bash runs"));
    let edge: SocketAddr = ([127, 0, 0, 1], ports[&8080]).into();
    let said = || std::fs::read_to_string(directory.path().join("log")).unwrap_or_default();
    bus_testkit::eventually("all five are ready", Duration::from_secs(60), async || {
        assert!(up.0.try_wait().is_ok_and(|ended| ended.is_none()), "it has ended: {}", said());
        let ready = ports.iter().filter(|(port, _)| **port < 9000).map(|(_, free)| is_ready(*free));
        futures::future::join_all(ready).await.into_iter().all(|ready| ready)
    })
    .await;

    let mut connection = Connection::open(edge).await.expect("connects");
    let mut ask = async |method, path, token: Option<&str>, json: Option<serde_json::Value>| {
        let request = Request { method, path, token, json: json.as_ref(), headers: &[] };
        let answer = connection.send(&request).await.expect("an answer");
        (answer.status, answer.json())
    };
    let credentials = serde_json::json!({"email": ADMIN.0, "password": ADMIN.1});
    let (_, session) = ask("POST", "/api/v1/sessions", None, Some(credentials)).await;
    let token = session["access_token"].as_str().unwrap_or_else(|| panic!("{session}")).to_owned();
    let product = serde_json::json!({"title": "A thing", "status": "active", "variants": [
        {"sku": "THING", "price": {"amount": 500, "currency": "EUR"}, "on_hand": 5}]});
    let (status, made) = ask("POST", "/api/v1/products", Some(&token), Some(product)).await;
    assert_eq!(status, 201, "{made}");
    let (status, placed) =
        ask("POST", "/api/v1/orders", Some(&token), Some(order("THING", 2, "tok_ok"))).await;
    assert_eq!((status, &placed["status"]), (201, &"placed".into()), "{placed}");
    let (_, modules) = ask("GET", "/api/v1/admin/modules", Some(&token), None).await;
    let remote = modules["data"].as_array().into_iter().flatten().filter(|row| row["placement"] == "remote");
    assert_eq!(remote.count(), 4, "{modules}");
    assert!(up.terminate());
    for (_, port) in ports {
        assert!(TcpListener::bind(("127.0.0.1", port)).is_ok(), "nobody is left on {port}");
    }
}

async fn is_ready(port: u16) -> bool {
    let address = ([127, 0, 0, 1], port).into();
    let Ok(mut connection) = Connection::open(address).await else { return false };
    let request = Request { path: "/readyz", ..Request::default() };
    connection.send(&request).await.is_ok_and(|answer| answer.status == 200)
}

/// The variables in a piece of YAML: `CLEAVE__X: value`, or a name and a value on two lines.
fn variables(yaml: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut named = None;
    for line in yaml.lines().map(|line| line.trim().trim_start_matches("- ")) {
        let value = |value: &str| value.trim().trim_matches('"').to_owned();
        match line.split_once(':') {
            Some(("name", name)) if name.trim().starts_with("CLEAVE__") => {
                named = Some(name.trim().to_owned())
            }
            Some(("value", text)) => drop(named.take().map(|name| found.insert(name, value(text)))),
            Some((name, text)) if name.starts_with("CLEAVE__") => {
                drop(found.insert(name.into(), value(text)))
            }
            _ => {}
        }
    }
    found
}

fn config(shop: &Path, variables: &BTreeMap<String, String>) -> Output {
    let mut command = Command::new(debug_binary());
    command.arg("--config").arg(shop).arg("config").envs(variables).stdin(Stdio::null());
    command.output().expect("it runs")
}

#[test]
fn the_settings_of_every_example_serve() {
    let directory = tempfile::tempdir().expect("a directory");
    let secrets = directory.path().join("secrets");
    let made = Command::new(deploy().join("keys")).arg(&secrets).env("PROGRAM", debug_binary()).output();
    let made = made.expect("bash runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let shop = secrets.join("shop.toml");

    let compose = read("compose.yaml");
    let shared = variables(compose.split("services:").next().expect("what all share"));
    let services = compose.split("services:").nth(1).expect("services");
    let cluster = variables(&read("kubernetes/settings.yaml"));
    for name in ["users", "inventory", "orders", "payments", "notifications"] {
        let service = services.split(&format!("\n  {name}:\n")).nth(1).unwrap_or_else(|| panic!("{name}"));
        let service = service.split("secrets:").next().expect("its variables");
        let mut own = shared.clone();
        own.append(&mut variables(service));
        assert_eq!(own.get("CLEAVE__WIRE__NAME").map(String::as_str), Some(name));
        let read_back = config(&shop, &own);
        assert!(read_back.status.success(), "{name}: {}", String::from_utf8_lossy(&read_back.stderr));

        let mut own = cluster.clone();
        own.append(&mut variables(&read(&format!("kubernetes/{name}.yaml"))));
        assert_eq!(own.get("CLEAVE__WIRE__NAME").map(String::as_str), Some(name));
        assert_eq!(own[&format!("CLEAVE__PLACEMENT__{}__AT", name.to_uppercase())], "local");
        let read_back = config(&shop, &own);
        assert!(read_back.status.success(), "{name}: {}", String::from_utf8_lossy(&read_back.stderr));
        // Without its key it must not start: others can reach it.
        own.remove("CLEAVE__WIRE__KEY_FILE");
        let refused = config(&shop, &own);
        assert!(String::from_utf8_lossy(&refused.stderr).contains("wire.key_file"), "{name} without a key");
    }
    let mut edge = cluster.clone();
    edge.append(&mut variables(&read("kubernetes/edge.yaml")));
    assert!(config(&shop, &edge).status.success());
}
