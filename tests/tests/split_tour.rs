//! The README's split tour, pasted into a shell as a reader would.

use std::process::Command;
use tests::process::debug_binary;

/// The block of shell commands under a heading of the README.
fn block(heading: &str) -> String {
    let readme =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).expect("the README");
    let section = readme.split(heading).nth(1).unwrap_or_else(|| panic!("{heading} is in the README"));
    let block = section.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next());
    block.expect("a block of shell commands").to_owned()
}

/// The settings of a process of the split tour, with other ports and data.
fn tour_settings(
    file: &str,
    data: &std::path::Path,
    exchange: &dyn Fn(String) -> String,
) -> std::path::PathBuf {
    let path = format!("{}/../deploy/tour/{file}", env!("CARGO_MANIFEST_DIR"));
    let settings = exchange(std::fs::read_to_string(path).expect("the tour's settings"));
    let settings = settings.replace("\"tour/", &format!("\"{}/", data.display()));
    let to = data.join(file);
    std::fs::write(&to, settings).expect("written");
    to
}

/// A process that ends with the test.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test]
async fn the_split_tour_works_as_pasted() {
    let data = tempfile::tempdir().expect("a directory");
    let binary = debug_binary();
    let named = ["8080", "8081", "9080", "9081"];
    let free: Vec<_> = named.iter().map(|_| bus_testkit::free_listener().expect("a free port")).collect();
    let ports: Vec<String> =
        free.iter().map(|listener| listener.local_addr().expect("bound").port().to_string()).collect();
    drop(free);
    let exchange = |text: String| {
        named.iter().zip(&ports).fold(text, |text, (named, port)| {
            text.replace(&format!("127.0.0.1:{named}"), &format!("127.0.0.1:{port}"))
        })
    };
    let shop = tour_settings("shop.toml", data.path(), &exchange);
    let inventory = tour_settings("inventory.toml", data.path(), &exchange);
    let start = |settings: &std::path::Path, command: &[&str]| {
        let log = std::fs::File::create(settings.with_extension("log")).expect("a log");
        let mut process = Command::new(&binary);
        process.arg("--config").arg(settings).args(command).current_dir(data.path());
        process.stdout(log.try_clone().expect("a log")).stderr(log);
        process
    };
    assert!(start(&shop, &["seed", "--demo"]).status().expect("the seed runs").success());
    let _processes =
        [&shop, &inventory].map(|settings| Running(start(settings, &[]).spawn().expect("starts")));
    for port in &ports[..2] {
        let address = format!("127.0.0.1:{port}").parse().expect("an address");
        let ready = tests::http::Request { path: "/readyz", ..Default::default() };
        bus_testkit::eventually("it is ready", std::time::Duration::from_secs(30), async || {
            let Ok(mut connection) = tests::http::Connection::open(address).await else { return false };
            connection.send(&ready).await.is_ok_and(|answer| answer.status == 200)
        })
        .await;
    }

    let orders = data.path().join("orders.txt").display().to_string();
    let script = exchange(block("## Ten minutes"))
        .replace("target/debug/cleave", &binary.display().to_string())
        .replace("deploy/tour/shop.toml", &shop.display().to_string())
        .replace("/tmp/orders.txt", &orders)
        // Its default is the port of the README.
        .replace("$CLEAVE place", &format!("$CLEAVE place --server http://127.0.0.1:{}", ports[0]));
    let ran = tokio::task::spawn_blocking(move || Command::new("bash").args(["-e", "-c", &script]).output());
    let ran = ran.await.expect("ends").expect("bash runs");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    for expected in [
        "Nothing is in the way.",
        &format!("inventory is at http://127.0.0.1:{}", ports[3]),
        "\"placement\":\"remote\"",
        "inventory is at local",
        "40 201",
        "\"violations\":0",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}
