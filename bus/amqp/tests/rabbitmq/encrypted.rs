//! A broker that speaks TLS only.

use crate::{
    SOON,
    node::Node,
    probe::{Probe, within},
};
use bus::{Listener, Transport};
use bus_amqp::{Amqp, AmqpSettings};
use bus_testkit::eventually;
use std::sync::Arc;

/// A broker whose certificate is trusted is spoken to, one whose is not is not; nor is one that does not encrypt.
#[tokio::test]
#[ignore = "needs RabbitMQ"]
async fn only_a_broker_that_is_trusted_is_spoken_to() {
    let made = || rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let (own, other) = (made(), made());
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: String| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("it is written");
        path.display().to_string()
    };
    let (certificate, key) =
        (write("certificate.pem", own.cert.pem()), write("key.pem", own.signing_key.serialize_pem()));
    let encrypted = |port: u16| {
        format!(
            "listeners.tcp = none\nlisteners.ssl.1 = 127.0.0.1:{port}\nssl_options.cacertfile = {certificate}\n\
             ssl_options.certfile = {certificate}\nssl_options.keyfile = {key}\nssl_options.verify = verify_none\n"
        )
    };
    let node = Node::start_with(encrypted).await;
    let connect = |scheme: &str, authority: Option<String>| {
        let settings = AmqpSettings::new(node.url(scheme), "test");
        Amqp::connect(AmqpSettings { certificate_authority: authority, ..settings }).expect("good settings")
    };
    let amqp = connect("amqps", Some(own.cert.pem()));
    eventually("it is trusted", SOON, async || amqp.is_connected()).await;
    let listener = amqp.listener(Probe::named("encrypted ") as Arc<dyn Transport>);
    listener.open("shop").await.expect("the broker is there");
    let answer = amqp.transport().request("shop.open", within(SOON), "call".into()).await;
    assert_eq!(answer, Ok("encrypted call".into()));
    for (scheme, authority) in [("amqps", Some(other.cert.pem())), ("amqps", None), ("amqp", None)] {
        let stranger = connect(scheme, authority);
        assert!(!stranger.first_attempt().await, "{scheme} is not to be had so");
        assert!(stranger.transport().request("shop.open", within(SOON), "call".into()).await.is_err());
    }
}
