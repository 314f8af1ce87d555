//! The README's tour, pasted into a shell as a reader would.

use std::process::Command;
use tests::process::{Setup, debug_binary};

/// The block of shell commands under a heading of the README.
fn block(heading: &str) -> String {
    let readme =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).expect("the README");
    let section = readme.split(heading).nth(1).unwrap_or_else(|| panic!("{heading} is in the README"));
    let block = section.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next());
    block.expect("a block of shell commands").to_owned()
}

#[tokio::test]
async fn the_tour_works_as_pasted() {
    let data = tempfile::tempdir().expect("a directory");
    let binary = debug_binary();
    let seeded = Command::new(&binary)
        .args(["seed", "--demo"])
        .current_dir(data.path())
        .env("CLEAVE__DATA_DIR", data.path())
        .output()
        .expect("the seed runs");
    assert!(seeded.status.success(), "{}", String::from_utf8_lossy(&seeded.stderr));
    let server = Setup::new(binary, data.path()).start().await.expect("starts");

    let order = data.path().join("order.json").display().to_string();
    let script = block("## Five minutes")
        .replace("127.0.0.1:8080", &server.address.to_string())
        .replace("/tmp/order.json", &order);
    let ran = tokio::task::spawn_blocking(move || Command::new("bash").args(["-e", "-c", &script]).output());
    let ran = ran.await.expect("ends").expect("bash runs");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));

    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let json = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON");
    let [products, found, user, placed, replayed, declined, order, timeline, cancelled] = lines.as_slice()
    else {
        panic!("nine lines are said: {said}");
    };
    assert_eq!(json(products)["data"].as_array().map(Vec::len), Some(2));
    assert!(found.contains("MUG-BLUE"), "{found}");
    assert_eq!(json(user)["email"], "ada@example.com");
    assert_eq!(json(placed)["status"], "placed");
    assert!(replayed.to_lowercase().contains("idempotent-replayed: true"), "{replayed}");
    assert_eq!(json(declined)["code"], "payment_declined");
    assert_eq!(json(order)["id"], json(placed)["id"]);
    let told = json(timeline);
    assert!(told["data"].as_array().is_some_and(|entries| entries.len() >= 7), "{told}");
    assert_eq!(
        (&json(cancelled)["status"], &json(cancelled)["payment_status"]),
        (&"cancelled".into(), &"refunded".into())
    );
    assert!(server.terminate().expect("ends"), "SIGTERM ends it well");
}
