//! The instances of an upstream: where they are, whose turn it is, and who has just not been there.

use super::Discovery;
use arc_swap::ArcSwap;
use bus_discovery::{Member, Members, State, Watch};
use bus_http::InvalidTarget;
use hyper::{header::HeaderValue, http::uri::Authority};
use rustls::pki_types::ServerName;
use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

/// How long an instance that could not be connected to is asked last.
const SUSPECTED: Duration = Duration::from_secs(5);

/// Who vouches for the servers that are spoken to over TLS.
#[derive(Clone)]
pub(crate) struct Trust {
    connector: TlsConnector,
    ca: Option<Arc<Path>>,
}

impl Trust {
    /// The authorities in a file; the public ones where none is named.
    pub(crate) fn read(ca: Option<&Path>) -> Result<Self, InvalidTarget> {
        Ok(Self { connector: bus_http::tls_connector(ca)?, ca: ca.map(Arc::from) })
    }
}

/// One server.
pub(crate) struct Instance {
    /// Host and port.
    pub(crate) authority: Arc<str>,
    /// Connections to the same origin may take each other's place: the same server, for which the same authorities vouch.
    pub(crate) origin: Arc<str>,
    pub(crate) host: HeaderValue,
    /// What its paths begin with.
    pub(crate) base: String,
    pub(crate) tls: Option<Tls>,
    missed: Mutex<Option<Instant>>,
}

/// How TLS is spoken to a server, and the name that its certificate must bear.
pub(crate) struct Tls {
    pub(crate) connector: TlsConnector,
    pub(crate) name: ServerName<'static>,
}

impl Instance {
    /// Reads `http://host:port/base`, or `https`.
    pub(crate) fn parse(url: &str, trust: &Trust) -> Result<Arc<Self>, &'static str> {
        let (rest, port, is_tls) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(rest), _) => (rest, 80, false),
            (_, Some(rest)) => (rest, 443, true),
            _ => return Err("must begin with http:// or https://"),
        };
        let (authority, base) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let base = base.trim_end_matches('/');
        let is_path = base.is_empty() || super::path::canonical(base).as_deref() == Some(base);
        let problem = "must be like http://host:port, and may have a path";
        let parsed: Authority = authority.parse().map_err(|_| problem)?;
        let name = parsed.host();
        let connect = match authority.strip_prefix(name) {
            Some("") => format!("{authority}:{port}"),
            Some(_) if parsed.port_u16().is_some_and(|port| port > 0) => authority.to_owned(),
            // Something before the name, or no port behind its colon.
            _ => return Err(problem),
        };
        if name.is_empty() || !is_path {
            return Err(problem);
        }
        // An IPv6 address stands in brackets in a URL, and without them in a certificate.
        let bare = name.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare).map_err(|_| "must name a host that a certificate can bear");
        let connector = || trust.connector.clone();
        let tls = is_tls.then(|| name.map(|name| Tls { connector: connector(), name })).transpose()?;
        let origin = if is_tls { format!("{connect} {:?}", trust.ca) } else { connect.clone() };
        Ok(Arc::new(Self {
            authority: connect.into(),
            origin: origin.into(),
            host: HeaderValue::from_str(authority).map_err(|_| problem)?,
            base: base.to_owned(),
            tls,
            missed: Mutex::default(),
        }))
    }

    /// As it is written in the settings.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority, self.base)
    }

    /// It could not be connected to.
    pub(crate) fn miss(&self) {
        *self.missed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    pub(crate) fn is_suspect(&self) -> bool {
        let missed = *self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        missed.is_some_and(|at| at.elapsed() < SUSPECTED)
    }
}

/// A service of one or more instances, which are asked in turn.
pub(crate) struct Upstream {
    turn: AtomicUsize,
    instances: Instances,
}

enum Instances {
    Fixed(Arc<[Arc<Instance>]>),
    Discovered { host: Option<HeaderValue>, trust: Trust, watched: Watch, known: ArcSwap<Known> },
}

/// What was made of what discovery said last.
struct Known {
    members: Arc<Members>,
    instances: Arc<[Arc<Instance>]>,
}

impl Upstream {
    pub(crate) fn fixed(instances: Vec<Arc<Instance>>) -> Self {
        Self { turn: AtomicUsize::default(), instances: Instances::Fixed(instances.into()) }
    }

    /// Of what goes by this name: `dns:host:port`.
    pub(crate) fn discovered(name: &str, trust: Trust, discovery: &dyn Discovery) -> Result<Self, String> {
        let watched = discovery.watch(name)?;
        let known = Known { members: Arc::default(), instances: Arc::new([]) };
        let instances =
            Instances::Discovered { host: host(name), trust, watched, known: ArcSwap::from_pointee(known) };
        Ok(Self { turn: AtomicUsize::default(), instances })
    }

    /// The instances that there are now.
    pub(crate) fn instances(&self) -> Arc<[Arc<Instance>]> {
        match &self.instances {
            Instances::Fixed(instances) => Arc::clone(instances),
            Instances::Discovered { host, trust, watched, known } => {
                let last = known.load();
                let members = Arc::clone(&watched.borrow());
                if Arc::ptr_eq(&last.members, &members) {
                    return Arc::clone(&last.instances);
                }
                let instance =
                    |member: &&Member| found(&member.instance, host.as_ref(), trust, &last.instances);
                let instances: Arc<[_]> = usable(&members).iter().filter_map(instance).collect();
                known.store(Arc::new(Known { members, instances: Arc::clone(&instances) }));
                instances
            }
        }
    }

    /// Whose turn it is, of those that have not been tried; again from the first where all have. `None` where there
    /// is no instance at all.
    pub(crate) fn pick(&self, tried: &[Arc<Instance>]) -> Option<Arc<Instance>> {
        let instances = self.instances();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let in_turn = || (0..instances.len()).map(|i| &instances[(turn.wrapping_add(i)) % instances.len()]);
        let untried = |instance: &&Arc<Instance>| !tried.iter().any(|known| Arc::ptr_eq(known, instance));
        let good = in_turn().filter(untried).find(|instance| !instance.is_suspect());
        good.or_else(|| in_turn().find(untried)).or_else(|| in_turn().next()).cloned()
    }
}

/// Those that are alive, of the first priority; where there are none, all.
fn usable(members: &Members) -> Vec<&Member> {
    let alive = || members.list.iter().filter(|member| member.state == State::Alive);
    let first = alive().map(|member| member.instance.priority).min();
    let first = alive().filter(|member| Some(member.instance.priority) == first).collect::<Vec<_>>();
    if first.is_empty() { members.list.iter().collect() } else { first }
}

/// An instance that was found. One that was there before keeps what is known of it.
fn found(
    instance: &bus_discovery::Instance,
    host: Option<&HeaderValue>,
    trust: &Trust,
    before: &[Arc<Instance>],
) -> Option<Arc<Instance>> {
    let mut new = Instance::parse(&instance.address, trust)
        .inspect_err(|problem| {
            tracing::error!(address = instance.address, problem, "an instance cannot be used")
        })
        .ok()?;
    if let Some(stays) = before.iter().find(|known| known.origin == new.origin && known.base == new.base) {
        return Some(Arc::clone(stays));
    }
    let named = instance.host.as_deref().and_then(|host| HeaderValue::from_str(host).ok());
    if let (Some(host), Some(new)) = (host.cloned().or(named), Arc::get_mut(&mut new)) {
        new.host = host;
    }
    Some(new)
}

/// What a service that is found by its host's name calls itself.
fn host(name: &str) -> Option<HeaderValue> {
    let (host, port) = name.strip_prefix("dns:")?.rsplit_once(':')?;
    // The dot at the end is for the resolver.
    let host = host.trim_end_matches('.');
    HeaderValue::from_str(&if port == "80" { host.to_owned() } else { format!("{host}:{port}") }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust() -> Trust {
        Trust::read(None).expect("the public authorities")
    }

    fn three() -> Upstream {
        let urls = ["http://a:1", "http://b:2/base/", "http://[::1]"];
        Upstream::fixed(urls.iter().map(|url| Instance::parse(url, &trust()).expect("an instance")).collect())
    }

    #[test]
    fn an_instance_is_a_url() {
        let all = three().instances();
        let of = |i: usize| (&*all[i].authority, all[i].host.to_str().expect("text"), all[i].base.as_str());
        assert_eq!(
            [of(0), of(1), of(2)],
            [("a:1", "a:1", ""), ("b:2", "b:2", "/base"), ("[::1]:80", "[::1]", "")]
        );
        for bad in [
            "ftp://a",
            "https://a..b",
            "a:1",
            "http://",
            "http://:1",
            "http://u@a:1",
            "http://a:1/x?y",
            "http://a/../b",
            "http://a b",
            "http://a:",
            "http://a:0",
            "http://a:99999",
            "http://a:x",
        ] {
            assert!(Instance::parse(bad, &trust()).is_err(), "{bad}");
        }
    }

    #[test]
    fn connections_are_shared_by_those_who_trust_the_same() {
        let (public, own) = (trust(), Trust { ca: Some(Path::new("ca.pem").into()), ..trust() });
        let parse = |url: &str, trust: &Trust| Instance::parse(url, trust).expect("an instance");
        let secure = parse("https://a/x", &public);
        assert_eq!((secure.url(), &*secure.authority), ("https://a:443/x".to_owned(), "a:443"));
        assert_eq!(secure.origin, parse("https://a:443/y", &public).origin);
        assert_ne!(secure.origin, parse("http://a:443/x", &public).origin, "in the clear");
        assert_ne!(secure.origin, parse("https://a/x", &own).origin, "others vouch for it");
        assert!(parse("https://[::1]:8443", &own).tls.is_some());
    }

    #[tokio::test]
    async fn instances_take_turns() {
        let upstream = three();
        let mut seen = Vec::new();
        for _ in 0..6 {
            seen.push(upstream.pick(&[]).expect("one").authority.to_string());
        }
        assert_eq!(seen, ["a:1", "b:2", "[::1]:80", "a:1", "b:2", "[::1]:80"]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_not_there_is_asked_last_for_a_while() {
        let upstream = three();
        let all = upstream.instances();
        all[0].miss();
        for _ in 0..6 {
            assert_ne!(&*upstream.pick(&[]).expect("one").authority, "a:1");
        }
        let tried = [Arc::clone(&all[1]), Arc::clone(&all[2])];
        assert_eq!(&*upstream.pick(&tried).expect("one").authority, "a:1", "who else");
        assert!(upstream.pick(&all).is_some(), "and from the first again");
        tokio::time::advance(SUSPECTED).await;
        let seen: Vec<_> = (0..3).map(|_| upstream.pick(&[]).expect("one").authority.to_string()).collect();
        assert!(seen.contains(&"a:1".to_owned()), "{seen:?}");
    }

    #[tokio::test]
    async fn discovered_instances_come_and_go() {
        struct Told(Watch);
        impl Discovery for Told {
            fn watch(&self, name: &str) -> Result<Watch, String> {
                if name == "dns:blog.svc.:8080" { Ok(self.0.clone()) } else { Err("is not known".into()) }
            }
        }
        let (tell, told) = tokio::sync::watch::channel(Arc::new(Members::default()));
        let discovery = Told(told);
        assert!(Upstream::discovered("dns:other:80", trust(), &discovery).is_err());
        let upstream = Upstream::discovered("dns:blog.svc.:8080", trust(), &discovery).expect("watched");
        assert!(upstream.pick(&[]).is_none());
        let is_at = |port: u16, state, priority| {
            let url = format!("http://127.0.0.1:{port}");
            Member {
                instance: bus_discovery::Instance { priority, ..bus_discovery::Instance::new(&url, &url) },
                state,
            }
        };
        let are = |list: Vec<Member>| drop(tell.send_replace(Arc::new(Members { known: true, list })));
        let ports = || -> Vec<String> {
            let all = upstream.instances();
            all.iter()
                .map(|instance| instance.authority.trim_start_matches("127.0.0.1:").to_owned())
                .collect()
        };
        are(vec![is_at(1, State::Alive, 0), is_at(2, State::Alive, 0)]);
        assert_eq!(ports(), ["1", "2"]);
        assert_eq!(upstream.instances()[0].host, "blog.svc:8080");
        upstream.instances()[0].miss();
        are(vec![
            is_at(1, State::Alive, 0),
            is_at(3, State::Alive, 0),
            is_at(4, State::Alive, 1),
            is_at(5, State::Leaving, 0),
        ]);
        assert_eq!(ports(), ["1", "3"]);
        let suspects: Vec<bool> = upstream.instances().iter().map(|instance| instance.is_suspect()).collect();
        assert_eq!(suspects, [true, false], "who stays keeps what is known of it");
        are(vec![is_at(1, State::Suspect, 0), is_at(5, State::Leaving, 0)]);
        assert_eq!(ports(), ["1", "5"], "who else");
    }
}
