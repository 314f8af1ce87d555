//! How a connection to the target comes about.

use crate::{HttpSettings, connection::Open};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Uri,
    client::conn::http1::{SendRequest, handshake},
    header::HeaderValue,
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem, pem::PemObject},
};
use std::{fmt, io, path::Path, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// The calling end of a connection.
pub(crate) type Sender = SendRequest<Full<Bytes>>;

/// A base address that nothing can be called at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTarget {
    /// It is not `http://host[:port][/path]`, or `https` in its place.
    #[error("{0} is not the http or https address of a host")]
    Address(String),
    /// The certificates cannot be read.
    #[error("the certificates in {0} cannot be read")]
    Certificates(String, #[source] pem::Error),
    /// One of them is none.
    #[error("{0} holds no certificate that can be used")]
    Certificate(String),
    /// The certificates cannot be checked.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

pub(crate) struct Connector {
    host: String,
    port: u16,
    timeout: Duration,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// A target as its base address names it.
pub(crate) struct Target {
    pub(crate) connector: Connector,
    /// What stands in `Host`.
    pub(crate) authority: HeaderValue,
    /// What stands before each path.
    pub(crate) prefix: String,
}

impl Target {
    pub(crate) fn parse(base: &str, settings: &HttpSettings) -> Result<Self, InvalidTarget> {
        let invalid = || InvalidTarget::Address(base.to_owned());
        let uri: Uri = base.parse().map_err(|_| invalid())?;
        let authority = uri.authority().ok_or_else(invalid)?;
        if uri.query().is_some() || authority.as_str().contains('@') {
            return Err(invalid());
        }
        // An IPv6 address stands in brackets in an address, and without them everywhere else.
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let (tls, default) = match uri.scheme_str() {
            Some("http") => (None, 80),
            Some("https") => {
                let name = ServerName::try_from(host.clone()).map_err(|_| invalid())?;
                (Some((tls_connector(settings.ca.as_deref())?, name)), 443)
            }
            _ => return Err(invalid()),
        };
        let port = authority.port_u16().unwrap_or(default);
        Ok(Self {
            authority: HeaderValue::from_str(authority.as_str()).map_err(|_| invalid())?,
            prefix: uri.path().trim_end_matches('/').to_owned(),
            connector: Connector { host, port, timeout: settings.connect_timeout, tls },
        })
    }
}

impl Connector {
    pub(crate) async fn connect(&self) -> io::Result<Sender> {
        timeout(self.timeout, self.reach()).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    async fn reach(&self) -> io::Result<Sender> {
        let stream = TcpStream::connect((&*self.host, self.port)).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => carry(stream).await,
            Some((tls, name)) => carry(tls.connect(name.clone(), stream).await?).await,
        }
    }
}

impl fmt::Display for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// A task that reads and writes until the sender is dropped or the target has had enough.
async fn carry(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> io::Result<Sender> {
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    bus::spawn(async move {
        let _open = Open::calling();
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended");
        }
    });
    Ok(sender)
}

/// Speaks TLS (RFC 8446) to servers whose certificates these authorities have signed; the public ones (Mozilla's) where no
/// file of certificates is named.
///
/// # Errors
/// [`InvalidTarget`] where the file holds no certificates.
pub fn tls_connector(ca: Option<&Path>) -> Result<TlsConnector, InvalidTarget> {
    let mut roots = RootCertStore::empty();
    match ca {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let shown = || path.display().to_string();
            let certificates = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| InvalidTarget::Certificates(shown(), error))?;
            if roots.add_parsable_certificates(certificates).0 == 0 {
                return Err(InvalidTarget::Certificate(shown()));
            }
        }
    }
    // Named here: a process that calls over TLS may have installed no provider, or another.
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(InvalidTarget::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
