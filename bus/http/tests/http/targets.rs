//! Base addresses: which can be called, and over TLS.

use crate::raw;
use bus::{BusError, Headers, Transport};
use bus_http::{HttpSettings, HttpTransport, InvalidTarget, ListenerSettings};
use rcgen::CertifiedKey;
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use std::{net::SocketAddr, path::Path, sync::Arc};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

#[test]
fn what_cannot_be_called_is_refused_at_once() {
    let new = |base: &str| HttpTransport::new(base, HttpSettings::default());
    for good in
        ["http://localhost", "http://[::1]:9000/", "https://shop.example/behind/a/proxy", "http://10.0.0.7:1"]
    {
        assert!(new(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "localhost",
        "/bus",
        "ftp://localhost",
        "http://",
        "http://u:p@host",
        "http://host/?q",
        "https://-",
    ] {
        assert!(matches!(new(bad), Err(InvalidTarget::Address(_))), "{bad}");
    }
    let trusting = |path: &Path| {
        let settings = HttpSettings { ca: Some(path.to_owned()), ..HttpSettings::default() };
        HttpTransport::new("https://localhost", settings).map(drop)
    };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ca.pem");
    assert!(matches!(trusting(&file), Err(InvalidTarget::Certificates(..))), "there is none");
    std::fs::write(&file, "no certificate").expect("written");
    assert!(matches!(trusting(&file), Err(InvalidTarget::Certificate(_))), "there is something else");
}

/// Takes TLS off, as a proxy in front of a listener does.
async fn unwrap_tls(certified: &CertifiedKey<rcgen::KeyPair>, behind: SocketAddr) -> SocketAddr {
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .expect("a certificate");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    bus::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            bus::spawn(async move {
                // A client that does not trust us leaves here.
                if let Ok(mut outside) = acceptor.accept(stream).await {
                    let mut inside = TcpStream::connect(behind).await.expect("it listens");
                    let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
                }
            });
        }
    });
    address
}

/// A target is called over TLS by whoever was given its certificate, and by nobody else.
#[tokio::test]
async fn a_target_behind_tls_is_called_if_it_is_trusted() {
    let (_, listener) = raw::listen(ListenerSettings::default()).await;
    let certified = rcgen::generate_simple_self_signed(["localhost".into()]).expect("a certificate");
    let address = unwrap_tls(&certified, listener.address()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, certified.cert.pem()).expect("written");

    let ask = async |host: &str, ca: Option<&Path>| {
        let settings = HttpSettings { ca: ca.map(Path::to_owned), ..HttpSettings::default() };
        let base = format!("https://{host}:{}", address.port());
        let transport = HttpTransport::new(&base, settings).expect("an address");
        transport.request("shop.echo", Headers::new(), "1".into()).await
    };
    let lost = || Err(BusError::Unheard { port: "shop".into() });
    assert_eq!(ask("localhost", Some(&ca)).await, Ok("1".into()));
    assert_eq!(ask("127.0.0.1", Some(&ca)).await, lost(), "the certificate is for another name");
    assert_eq!(ask("localhost", None).await, lost(), "the web does not know it");
}
