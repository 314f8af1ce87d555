//! Names in the DNS, against dnsmasq.

use crate::{
    dnsmasq::{BrokenServer, Dnsmasq},
    world::{SOON, standing, stands},
};
use bus_discovery::{Discovery, DiscoveryError, Instance, Watch, first_answer};
use std::time::Duration;
use tokio::time::timeout;

async fn answered(watch: &Watch) {
    timeout(SOON, first_answer(watch)).await.expect("it answers");
}

#[tokio::test]
#[ignore = "needs dnsmasq"]
async fn every_address_of_a_name_is_an_instance() {
    let server = Dnsmasq::start("127.0.0.2 inventory.example\n127.0.0.3 inventory.example\n", &[]);
    let watch = server.discovery(|_| {}).watch("inventory.example.:8081").expect("a target");
    stands(&watch, "http://127.0.0.2:8081 http://127.0.0.3:8081").await;
    let first = watch.borrow().list[0].instance.clone();
    let expected = Instance {
        host: Some("inventory.example".into()),
        ..Instance::new("127.0.0.2:8081", "http://127.0.0.2:8081")
    };
    assert_eq!(first, expected);
    server.set_hosts("127.0.0.2 inventory.example\n::2 inventory.example\n");
    stands(&watch, "http://127.0.0.2:8081 http://127.0.0.3:8081? http://[::2]:8081").await;
    stands(&watch, "http://127.0.0.2:8081 http://[::2]:8081").await;
    server.set_hosts("127.0.0.2 inventory.example\n127.0.0.3 inventory.example\n");
    stands(&watch, "http://127.0.0.2:8081 http://127.0.0.3:8081 http://[::2]:8081?").await;
}

#[tokio::test]
#[ignore = "needs dnsmasq"]
async fn every_target_of_a_service_is_an_instance() {
    let hosts = "127.0.0.2 one.inventory.example\n127.0.0.3 two.inventory.example\n";
    let record = |target, weight| format!("srv-host=_bus._tcp.inventory.example,{target},0,{weight}");
    let (one, two) = (record("one.inventory.example,8081", 30), record("two.inventory.example,9000", 10));
    let mut server = Dnsmasq::start(hosts, &[&one, &two]);
    let watch = server.discovery(|_| {}).watch("_bus._tcp.inventory.example.").expect("a target");
    stands(&watch, "http://127.0.0.2:8081 http://127.0.0.3:9000").await;
    let weights: Vec<_> = watch.borrow().list.iter().map(|it| it.instance.weight).collect();
    assert_eq!(weights, [30, 10]);
    assert_eq!(watch.borrow().list[1].instance.host.as_deref(), Some("two.inventory.example"));
    server.restart(&[&two]);
    stands(&watch, "http://127.0.0.2:8081? http://127.0.0.3:9000").await;
    stands(&watch, "http://127.0.0.3:9000").await;
}

/// C16: whatever a name server does but answer, the instances stay; when it answers again, they follow.
#[tokio::test]
#[ignore = "needs dnsmasq"]
async fn a_failing_resolver_empties_no_set_that_worked() {
    const SERVFAIL: Option<u8> = Some(2);
    const REFUSED: Option<u8> = Some(5);
    let mut server = Dnsmasq::start("127.0.0.2 inventory.example\n", &[]);
    let discovery = server.discovery(|settings| {
        settings.dead_after = Duration::ZERO;
        settings.timeout = Duration::from_millis(200);
    });
    let watch = discovery.watch("inventory.example.:8081").expect("a target");
    stands(&watch, "http://127.0.0.2:8081").await;
    server.stop();
    for failure in [SERVFAIL, REFUSED, None] {
        let mut broken = BrokenServer::start(server.address, failure).await;
        broken.has_been_asked(8).await;
        assert_eq!(standing(&watch), "http://127.0.0.2:8081", "{failure:?}");
        broken.stop().await;
    }
    server.write_hosts("127.0.0.3 inventory.example\n");
    server.restart(&[]);
    stands(&watch, "http://127.0.0.3:8081").await;
}

/// An answer is used for as long as it says, within bounds.
#[tokio::test]
#[ignore = "needs dnsmasq"]
async fn a_name_is_asked_for_again_when_its_time_has_passed() {
    let server = Dnsmasq::start("127.0.0.2 inventory.example\n", &["local-ttl=3600"]);
    let watch = |longest: Duration| {
        let discovery = server.discovery(|settings| settings.longest = longest);
        discovery.watch("inventory.example.:8081").expect("a target")
    };
    let (patient, bounded) = (watch(Duration::from_secs(7200)), watch(Duration::from_millis(50)));
    answered(&patient).await;
    server.set_hosts("127.0.0.2 inventory.example\n127.0.0.3 inventory.example\n");
    stands(&bounded, "http://127.0.0.2:8081 http://127.0.0.3:8081").await;
    assert_eq!(standing(&patient), "http://127.0.0.2:8081", "its answer is good for an hour");
}

/// A name that does not exist is an answer, and what comes to exist is found.
#[tokio::test]
#[ignore = "needs dnsmasq"]
async fn a_name_that_does_not_exist_has_no_instances_yet() {
    let server = Dnsmasq::start("", &[]);
    let discovery = server.discovery(|_| {});
    let addresses = discovery.watch("inventory.example.:8081").expect("a target");
    let services = discovery.watch("_bus._tcp.inventory.example.").expect("a target");
    for watch in [&addresses, &services] {
        answered(watch).await;
        assert_eq!(standing(watch), "");
    }
    server.set_hosts("127.0.0.2 inventory.example\n");
    stands(&addresses, "http://127.0.0.2:8081").await;
}

#[tokio::test]
async fn the_dns_takes_no_registrations() {
    let settings = bus_discovery::DnsSettings {
        servers: vec![([127, 0, 0, 1], 53).into()],
        ..bus_discovery::DnsSettings::default()
    };
    let dns = bus_discovery::Dns::new(settings).expect("nothing is asked");
    let refused = dns.register("inventory", Instance::new("a", "http://a")).map(drop);
    assert_eq!(refused, Err(DiscoveryError::NotARegistry { kind: "dns" }));
    let bad = dns.watch("inventory").map(drop);
    assert!(matches!(bad, Err(DiscoveryError::BadTarget { .. })), "{bad:?}");
}
