//! Where the broker is, who we are there, and how much is taken and kept.

use crate::subjects::Subjects;
use async_nats::{ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;
use std::{fmt, io, path::PathBuf, time::Duration};

/// A connection that has said nothing for so long is asked whether it is still there; it is given up after three
/// questions.
const PING: Duration = Duration::from_secs(5);

/// Messages that one subscription may have waiting in this process. Nothing here lets them wait, so this is room for a
/// process that got no processor for a while; what goes beyond it is dropped, logged and counted.
const WAITING: usize = 16_384;

/// How a process uses a broker. Its `Debug` shows no secrets.
#[derive(Clone)]
pub struct NatsSettings {
    /// All servers of the cluster, each with its own credentials where it needs any: `nats://broker:4222`,
    /// `tls://user:password@broker:4222`, `nats://token@broker:4222`. With `tls` nothing is sent in clear.
    pub servers: Vec<String>,
    /// What stands before every subject and stream, so that several systems share a broker: letters, digits, `_`, `-`.
    pub namespace: String,
    /// What the broker's own lists call this process.
    pub process: String,
    /// A credentials file (`.creds`: a JWT and the seed of its key), in place of credentials in the addresses.
    pub credentials: Option<PathBuf>,
    /// The certificate authorities that servers are checked against, in place of the system's.
    pub root_certificates: Option<PathBuf>,
    /// How this process shows the servers who it is, where they want a certificate.
    pub client_certificate: Option<ClientCertificate>,
    /// How many calls of a module are taken at once; more are answered with `Overloaded`. More than the module's own
    /// limits, which say so sooner.
    pub concurrency: usize,
    /// How large a module's stream of events grows before the oldest are dropped from it; their senders have them. The
    /// broker sets as much aside.
    pub stream_bytes: u32,
    /// On how many servers of a cluster a stream is kept.
    pub stream_replicas: usize,
    /// How long the broker waits for the end of a batch, or a sign that it is being worked on, before it hands it out
    /// again.
    pub ack_wait: Duration,
}

/// A certificate and its key, as PEM files.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    /// The certificate, with those that lead from it to the root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Settings with which no connection will ever come about. Addresses are named by their place in the list: they may
/// hold secrets.
#[derive(Debug, thiserror::Error)]
pub enum InvalidNatsSettings {
    /// Nowhere to connect to.
    #[error("no NATS server is given")]
    NoServer,
    /// Not the address of a server.
    #[error("NATS server number {0} is not an address with nats:// or tls://")]
    Server(usize),
    /// Not a token of a subject.
    #[error("the NATS namespace may consist of letters, digits, _ and - only: {0:?}")]
    Namespace(String),
    /// Nothing would be taken, or kept.
    #[error("{0} must be more than zero")]
    Zero(&'static str),
    /// The credentials file cannot be used.
    #[error("the NATS credentials cannot be read")]
    Credentials(#[source] io::Error),
}

impl NatsSettings {
    /// One server, and defaults for everything else.
    #[must_use]
    pub fn new(server: impl Into<String>, namespace: impl Into<String>) -> Self {
        Self {
            servers: vec![server.into()],
            namespace: namespace.into(),
            process: env!("CARGO_PKG_NAME").into(),
            credentials: None,
            root_certificates: None,
            client_certificate: None,
            concurrency: 4096,
            stream_bytes: 256 << 20,
            stream_replicas: 1,
            ack_wait: Duration::from_secs(30),
        }
    }

    pub(crate) fn subjects(&self) -> Result<Subjects, InvalidNatsSettings> {
        Subjects::new(&self.namespace).ok_or_else(|| InvalidNatsSettings::Namespace(self.namespace.clone()))
    }

    /// The servers with what is needed to connect to each.
    pub(crate) async fn servers(&self) -> Result<Vec<Server>, InvalidNatsSettings> {
        if self.servers.is_empty() {
            return Err(InvalidNatsSettings::NoServer);
        }
        let sizes = [
            ("concurrency", self.concurrency),
            ("stream_bytes", self.stream_bytes as usize),
            ("stream_replicas", self.stream_replicas),
            ("ack_wait", usize::from(!self.ack_wait.is_zero())),
        ];
        if let Some((name, _)) = sizes.into_iter().find(|(_, size)| *size == 0) {
            return Err(InvalidNatsSettings::Zero(name));
        }
        let options = self.options().await?;
        let servers = self.servers.iter().zip(1..);
        servers
            .map(|(address, number)| {
                Server::new(address, options.clone()).ok_or(InvalidNatsSettings::Server(number))
            })
            .collect()
    }

    async fn options(&self) -> Result<ConnectOptions, InvalidNatsSettings> {
        let mut options = ConnectOptions::new()
            .name(&self.process)
            .custom_inbox_prefix(self.subjects()?.replies())
            .ping_interval(PING)
            .subscription_capacity(WAITING)
            .ignore_discovered_servers()
            // Once, at once; after that the connection is over and a new one is made.
            .max_reconnects(1);
        if let Some(path) = &self.root_certificates {
            options = options.add_root_certificates(path.clone());
        }
        if let Some(own) = &self.client_certificate {
            options = options.add_client_certificate(own.certificate.clone(), own.key.clone());
        }
        match &self.credentials {
            Some(path) => options.credentials_file(path).await.map_err(InvalidNatsSettings::Credentials),
            None => Ok(options),
        }
    }
}

impl fmt::Debug for NatsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsSettings")
            .field("servers", &format_args!("{} of them", self.servers.len()))
            .field("namespace", &self.namespace)
            .field("process", &self.process)
            .field("concurrency", &self.concurrency)
            .field("stream_bytes", &self.stream_bytes)
            .field("stream_replicas", &self.stream_replicas)
            .field("ack_wait", &self.ack_wait)
            .finish_non_exhaustive()
    }
}

/// A server, and how to connect to it.
#[derive(Clone)]
pub(crate) struct Server {
    /// Without credentials: the client library logs it.
    pub(crate) address: ServerAddr,
    pub(crate) options: ConnectOptions,
}

impl Server {
    fn new(address: &str, mut options: ConnectOptions) -> Option<Self> {
        let address: ServerAddr = address.parse().ok()?;
        if address.is_websocket() || address.host().is_empty() {
            return None;
        }
        // The client library does not look at the credentials in an address.
        let text = |part: &str| percent_decode_str(part).decode_utf8().ok().map(String::from);
        match (address.username(), address.password()) {
            (Some(user), Some(password)) => {
                options = options.user_and_password(text(user)?, text(password)?);
            }
            (Some(token), None) => options = options.token(text(token)?),
            (None, _) => {}
        }
        let mut url = address.into_inner();
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
        Some(Self { address: ServerAddr::from_url(url).ok()?, options })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn settings_that_cannot_work_are_refused() {
        let good = NatsSettings::new("nats://127.0.0.1:4222", "shop");
        assert!(good.servers().await.is_ok());
        for address in ["", "http://127.0.0.1", "ws://127.0.0.1", "nats://", "not an address"] {
            let bad = NatsSettings { servers: vec![address.into()], ..good.clone() };
            let refused = bad.servers().await.err();
            assert!(matches!(refused, Some(InvalidNatsSettings::Server(1))), "{address}: {refused:?}");
        }
        for namespace in ["", "a.b", "a b", "*", ">", "ü"] {
            let bad = NatsSettings { namespace: namespace.into(), ..good.clone() };
            let refused = bad.servers().await.err();
            assert!(matches!(refused, Some(InvalidNatsSettings::Namespace(_))), "{namespace}: {refused:?}");
        }
        let none = NatsSettings { servers: Vec::new(), ..good.clone() };
        assert!(matches!(none.servers().await.err(), Some(InvalidNatsSettings::NoServer)));
        let nothing = NatsSettings { concurrency: 0, ..good.clone() };
        assert!(matches!(nothing.servers().await.err(), Some(InvalidNatsSettings::Zero("concurrency"))));
        let lost = NatsSettings { credentials: Some("/nonexistent/shop.creds".into()), ..good };
        assert!(matches!(lost.servers().await.err(), Some(InvalidNatsSettings::Credentials(_))));
    }

    #[tokio::test]
    async fn no_secret_is_shown() {
        let settings = NatsSettings::new("tls://shop:pass%40word@broker:4333", "shop");
        let servers = settings.servers().await.expect("good settings");
        assert_eq!(servers[0].address.as_url_str(), "tls://broker:4333");
        let shown = format!("{settings:?} {:?}", servers[0].options);
        assert!(!shown.contains("pass"), "{shown}");
        let bad = NatsSettings::new("http://shop:password@broker", "shop").servers().await.err();
        assert!(!format!("{bad:?} {}", bad.as_ref().expect("refused")).contains("password"));
    }
}
