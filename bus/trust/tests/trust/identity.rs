//! Key files: what is read, what is written, and what is refused by name.

use bus_trust::{Identity, IdentityError};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};
use tempfile::tempdir;

/// The example of RFC 8410, section 10.3, and its public key from 10.1.
const PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
    -----END PRIVATE KEY-----\n";
const DER: &str = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC";
const SEED: &str = "1O5y2/kTWErVttjx92n4rTr+fCjL8dT74Jeoj0R1WEI=";
const PUBLIC: &str = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE";

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
}

#[test]
fn a_key_is_read_as_pem_or_base64() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("orders.key");
    for text in [PEM, DER, SEED, &format!("\n  {DER}\r\n\n"), &PEM.replace('\n', "\r\n")] {
        write(&path, text, 0o600);
        let identity = Identity::load("orders", &path).expect(text);
        assert_eq!((identity.name(), identity.public_key().to_string()), ("orders", PUBLIC.to_owned()));
    }
    // A mounted secret belongs to a group.
    write(&path, PEM, 0o440);
    assert!(Identity::load("orders", &path).is_ok());
}

/// Section 5.11: a private key that everybody can read refuses to start, and the file is named.
#[test]
fn a_key_that_everybody_can_read_is_refused() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("orders.key");
    for mode in [0o644, 0o604, 0o602, 0o777] {
        write(&path, PEM, mode);
        let error = Identity::load("orders", &path).expect_err("exposed");
        assert!(matches!(error, IdentityError::Exposed { .. }), "{mode:o}: {error}");
        assert!(error.to_string().contains("orders.key"), "{error}");
    }
}

#[test]
fn what_is_written_is_read_and_never_overwritten() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("new.key");
    let made = Identity::generate("orders").expect("a key");
    made.save(&path).expect("saved");
    assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    assert_eq!(Identity::load("orders", &path).expect("a key").public_key(), made.public_key());
    let other = Identity::generate("orders").expect("a key");
    assert!(matches!(other.save(&path), Err(IdentityError::File { .. })));
    assert_eq!(Identity::load("orders", &path).expect("a key").public_key(), made.public_key());
}

#[test]
fn what_is_no_key_is_refused_by_name() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("wrong.key");
    let public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----";
    for text in ["", "changeme", "AAAA", public, &PEM.replace("MC4", "MC5"), &"A".repeat(100_000), "🦀"] {
        write(&path, text, 0o600);
        let error = Identity::load("orders", &path).expect_err("no key");
        assert!(matches!(error, IdentityError::Unreadable { .. }), "{error}");
        assert!(error.to_string().contains("wrong.key"), "{error}");
    }
    let error = Identity::load("orders", directory.path().join("none.key")).expect_err("no file");
    assert!(error.to_string().contains("none.key"), "{error}");
}

#[test]
fn a_name_that_fits_in_no_seal_is_refused() {
    for name in ["", "Orders", "or.ders", "ordérs", "a b", &"o".repeat(65)] {
        assert!(matches!(Identity::generate(name), Err(IdentityError::Name(_))), "{name}");
    }
    assert!(Identity::generate("orders-eu_2").is_ok());
}

/// Section 5.11: nothing secret is printed, by accident or otherwise.
#[test]
fn debug_shows_no_secret() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("orders.key");
    write(&path, PEM, 0o600);
    let shown = format!("{:?}", Identity::load("orders", &path).expect("a key"));
    assert!(shown.contains("orders") && shown.contains(PUBLIC), "{shown}");
    let secret_hex = "d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842";
    for secret in [&SEED[..20], &DER[22..44], secret_hex, "212, 238, 114"] {
        assert!(!shown.to_lowercase().contains(&secret.to_lowercase()), "{shown}");
    }
}
