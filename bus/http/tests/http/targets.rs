//! Base addresses: which can be called, and over TLS.

use crate::raw;
use bus::{BusError, Headers, Transport};
use bus_http::{HttpSettings, HttpTransport, InvalidTarget, ListenerSettings};
use bus_testkit::Encrypted;
use std::path::Path;

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

/// A target is called over TLS by whoever was given its certificate, and by nobody else.
#[tokio::test]
async fn a_target_behind_tls_is_called_if_it_is_trusted() {
    let (_, listener) = raw::listen(ListenerSettings::default()).await;
    let encrypted = Encrypted::before(listener.address());
    let ask = async |host: &str, ca: Option<&Path>| {
        let settings = HttpSettings { ca: ca.map(Path::to_owned), ..HttpSettings::default() };
        let base = format!("https://{host}:{}", encrypted.address().port());
        let transport = HttpTransport::new(&base, settings).expect("an address");
        transport.request("shop.echo", Headers::new(), "1".into()).await
    };
    let lost = || Err(BusError::Unheard { port: "shop".into() });
    assert_eq!(ask("localhost", Some(encrypted.ca())).await, Ok("1".into()));
    assert_eq!(ask("127.0.0.1", Some(encrypted.ca())).await, lost(), "the certificate is for another name");
    assert_eq!(ask("localhost", None).await, lost(), "the web does not know it");
}
