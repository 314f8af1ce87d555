//! A server behind TLS.

use rcgen::CertifiedKey;
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread,
};
use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use tokio_rustls::TlsAcceptor;

/// Takes TLS off before a server, as a proxy in front of it does. It shows a certificate for `localhost`, signed by
/// itself. It has a thread of its own, so that tests without a runtime can have it too, and ends when it is dropped.
pub struct Encrypted {
    address: SocketAddr,
    ca: PathBuf,
    _folder: TempDir,
    _stop: oneshot::Sender<()>,
}

impl Encrypted {
    /// Passes on to `behind` what is inside.
    ///
    /// # Panics
    /// Where this machine has no free port or no room for a file.
    #[must_use]
    pub fn before(behind: SocketAddr) -> Self {
        let certified = rcgen::generate_simple_self_signed(["localhost".into()]).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, certified.cert.pem()).expect("written");
        let (bound, address) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                tokio::select! {
                    () = take_off(&certified, behind, &bound) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address: address.recv().expect("it listens"), ca, _folder: folder, _stop: stop }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The file with the certificate that it shows.
    #[must_use]
    pub fn ca(&self) -> &Path {
        &self.ca
    }
}

async fn take_off(
    certified: &CertifiedKey<rcgen::KeyPair>,
    behind: SocketAddr,
    bound: &mpsc::Sender<SocketAddr>,
) {
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .expect("a certificate");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    bound.send(listener.local_addr().expect("bound")).expect("somebody waits");
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        bus::spawn(async move {
            // A client that does not believe the certificate leaves here.
            if let Ok(mut outside) = acceptor.accept(stream).await {
                let mut inside = TcpStream::connect(behind).await.expect("it listens");
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            }
        });
    }
}
