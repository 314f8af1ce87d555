//! Who may connect, and to whom.

use crate::{
    broker::Broker,
    scratch::{SOON, Scratch},
    shop::Shop,
};
use bus::Headers;
use bus_nats::{Nats, NatsSettings};
use bus_testkit::eventually;
use std::path::PathBuf;
use tokio::time::timeout;

async fn answers(nats: &Nats) {
    let listener = nats.listener(Shop::new().answers());
    listener.open("shop").await.expect("opened");
    let answer = nats.transport().request("shop.echo", Headers::new(), "hello".into()).await;
    assert_eq!(answer, Ok("hello".into()));
}

async fn is_refused(settings: NatsSettings) {
    let nats = Nats::connect(settings).await.expect("good settings");
    assert!(timeout(std::time::Duration::from_secs(1), nats.connected()).await.is_err());
}

/// Credentials come from the address, with whatever signs a password has.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn credentials_in_the_address_are_used() {
    for (arguments, right, wrong) in [
        (["--user", "shop", "--pass", "p@ss:w/rd"].as_slice(), "shop:p%40ss%3Aw%2Frd", "shop:wrong"),
        (["--auth", "t0ken"].as_slice(), "t0ken", "token"),
    ] {
        let broker = Broker::start_with(arguments).await;
        let url = |who: &str| format!("nats://{who}@127.0.0.1:{}", broker.port);
        let scratch = Scratch::on(url(right));
        answers(&scratch.connect().await).await;
        is_refused(NatsSettings::new(url(wrong), "shop")).await;
        is_refused(NatsSettings::new(broker.url(), "shop")).await;
    }
}

/// RUSTSEC-2023-0027: over TLS the server is who it says, or nothing is sent.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn a_server_without_the_right_certificate_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: String| -> PathBuf {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let made = |host: &str| rcgen::generate_simple_self_signed([host.to_owned()]).expect("a certificate");
    let (right, other) = (made("127.0.0.1"), made("broker.example"));
    let mut brokers = Vec::new();
    for (name, own) in [("right", &right), ("other", &other)] {
        let certificate = write(&format!("{name}.pem"), own.cert.pem());
        let key = write(&format!("{name}.key"), own.signing_key.serialize_pem());
        let [certificate, key] = [certificate, key].map(|path| path.display().to_string());
        brokers.push(Broker::start_with(&["--tls", "--tlscert", &certificate, "--tlskey", &key]).await);
    }
    let trusting = |broker: &Broker, roots: &str| {
        let url = format!("tls://127.0.0.1:{}", broker.port);
        let root_certificates = Some(directory.path().join(roots));
        NatsSettings { root_certificates, ..NatsSettings::new(url, "shop") }
    };
    let nats = Nats::connect(trusting(&brokers[0], "right.pem")).await.expect("good settings");
    eventually("it is trusted", SOON, async || nats.is_connected()).await;
    answers(&nats).await;
    is_refused(trusting(&brokers[0], "other.pem")).await;
    is_refused(trusting(&brokers[1], "other.pem")).await;
}
