//! Who may connect, and to whom.

use crate::{
    broker::Broker,
    scratch::{SOON, Scratch},
    shop::{STORED, Shop},
};
use bus::{BusError, Headers};
use bus_nats::{Nats, NatsSettings};
use bus_testkit::eventually;
use std::{path::PathBuf, sync::atomic::Ordering::SeqCst, time::Duration};
use tokio::time::timeout;

async fn answers(nats: &Nats) {
    let listener = nats.listener(Shop::new().answers());
    listener.open("shop").await.expect("opened");
    let answer = nats.transport().request("shop.echo", Headers::new(), "hello".into()).await;
    assert_eq!(answer, Ok("hello".into()));
}

async fn is_refused(settings: NatsSettings) {
    let nats = Nats::connect(settings).await.expect("good settings");
    assert!(timeout(Duration::from_secs(1), nats.connected()).await.is_err());
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

/// A user's rights in the server's own words, by the lists in this crate's documentation.
fn rights(user: &str, namespace: &str, serves: &[&str], calls: &[&str]) -> String {
    let on = |rest: String| format!("{namespace}.{rest}");
    let (mut publish, mut subscribe) = (vec![on("reply.>".into())], vec![on("reply.>".into())]);
    let stream = |module: &str| format!("{namespace}_events_{module}");
    for module in serves {
        let stream = stream(module);
        subscribe.extend([on(format!("call.{module}.>")), on(format!("control.{module}"))]);
        publish.extend(
            ["CONSUMER.INFO", "CONSUMER.CREATE", "CONSUMER.DURABLE.CREATE", "CONSUMER.MSG.NEXT"]
                .map(|request| format!("$JS.API.{request}.{stream}.>")),
        );
        publish.push(format!("$JS.ACK.{stream}.>"));
    }
    for module in calls {
        publish.extend(["call", "control"].map(|kind| on(format!("{kind}.{module}.>"))));
        publish.extend(["control", "events"].map(|kind| on(format!("{kind}.{module}"))));
    }
    for module in serves.iter().chain(calls) {
        publish
            .extend(["INFO", "CREATE"].map(|request| format!("$JS.API.STREAM.{request}.{}", stream(module))));
    }
    format!(
        "{{ user: {user}, password: secret, permissions: {{ publish: {publish:?}, subscribe: {subscribe:?} }} }}"
    )
}

/// One user a process, with the rights that it needs: the one may call a module, the other may not, and neither gets an
/// answer that is not its own.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn a_process_needs_few_rights_and_has_no_others() {
    let directory = tempfile::tempdir().expect("a directory");
    let namespace = "shop";
    let users = [
        rights("shop", namespace, &["shop"], &[]),
        rights("till", namespace, &["till"], &["shop"]),
        rights("stranger", namespace, &[], &["till"]),
    ];
    let file = directory.path().join("nats.conf");
    std::fs::write(&file, format!("authorization {{ users: [ {} ] }}", users.join(", "))).expect("written");
    let broker = Broker::start_with(&["-c", &file.display().to_string()]).await;
    let connect = |user: &str| {
        let url = format!("nats://{user}:secret@127.0.0.1:{}", broker.port);
        let settings = NatsSettings::new(url, namespace);
        async {
            let nats = Nats::connect(settings).await.expect("good settings");
            timeout(SOON, nats.connected()).await.expect("it may connect");
            nats
        }
    };
    let (serving, till, stranger) = (connect("shop").await, connect("till").await, connect("stranger").await);
    let shop = Shop::new();
    let listener = serving.listener(shop.answers());
    listener.open("shop").await.expect("it may serve its own module");
    let patience = || Headers::from([("timeout-ms".to_owned(), "2000".to_owned())]);
    let transport = till.transport();
    assert_eq!(transport.request("shop.echo", Headers::new(), "hello".into()).await, Ok("hello".into()));
    assert_eq!(transport.deliver("shop.inbox", patience(), "batch".into()).await, Ok(STORED));
    let transport = stranger.transport();
    let lost = BusError::Unavailable { port: "shop".into() };
    assert_eq!(transport.request("shop.echo", Headers::new(), "hello".into()).await, Err(lost));
    assert!(transport.deliver("shop.inbox", patience(), "batch".into()).await.is_err());
    assert_eq!((shop.asked.load(SeqCst), shop.batches().len()), (1, 1));
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
