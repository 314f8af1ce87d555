//! What addresses, names and passwords must look like.
//!
//! Passwords by NIST SP 800-63B: length and a list of what is tried first, no rules of composition, nothing cut
//! off, nothing folded.

use std::{collections::HashSet, sync::LazyLock};
use users_ports::{InvalidField, Secret, UsersError};

/// The longest address that SMTP carries (RFC 5321, erratum 1690).
const LONGEST_ADDRESS: usize = 254;

/// What attackers try first, as far as it is long enough to be a password here. In lower case.
static COMMON: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("common_passwords.txt").lines().collect());

/// The form in which an address is stored and compared. RFC 5321 lets a host tell `Ada` from `ada`; no host
/// does, and people do not.
pub(crate) fn normalise(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Gathers what is wrong with the fields of a request.
#[derive(Default)]
pub(crate) struct Fields(Vec<InvalidField>);

impl Fields {
    pub(crate) fn email(mut self, normalised: &str) -> Self {
        if !is_address(normalised) {
            self.0.push(InvalidField::Email);
        }
        self
    }

    pub(crate) fn name(mut self, name: &str) -> Self {
        let length = name.trim().chars().count();
        if !(1..=200).contains(&length) || name.chars().any(char::is_control) {
            self.0.push(InvalidField::Name);
        }
        self
    }

    pub(crate) fn password(mut self, password: &Secret, email: &str) -> Self {
        let text = password.expose();
        if !(12..=128).contains(&text.chars().count()) {
            self.0.push(InvalidField::PasswordLength);
        } else {
            let lower = zeroize::Zeroizing::new(text.to_lowercase());
            if COMMON.contains(lower.as_str()) || lower.trim() == email {
                self.0.push(InvalidField::PasswordTooCommon);
            }
        }
        self
    }

    pub(crate) fn check(self) -> Result<(), UsersError> {
        if self.0.is_empty() { Ok(()) } else { Err(UsersError::Invalid { fields: self.0 }) }
    }
}

/// A plain address: no quoted local part, no literal host, nothing that could leave a mail header.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let odd = |c: char| c.is_whitespace() || c.is_control() || "<>()[]\\,;:\"@".contains(c);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= LONGEST_ADDRESS
        && (1..=64).contains(&local.len())
        && !local.contains(odd)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && domain.contains('.')
        && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Result<(), UsersError> {
        Fields::default().password(&Secret::new(text), "ada.lovelace@example.test").check()
    }

    #[test]
    fn addresses_are_plain_and_cannot_leave_a_header() {
        for good in ["a@b.test", "ada.lovelace+shop@mail.example.test", "jos\u{e9}@b\u{fc}cher.example"] {
            assert!(is_address(&normalise(good)), "{good}");
        }
        for bad in [
            "",
            "a",
            "@b.test",
            "a@",
            "a@b",
            "a b@c.test",
            "a@b..test",
            "a@-b.test",
            ".a@b.test",
            "a..b@c.test",
            "a@b.test\r\nbcc: x@y.test",
            "\"a\"@b.test",
            "a@[127.0.0.1]",
            "a@b@c.test",
            "a,b@c.test",
        ] {
            assert!(!is_address(&normalise(bad)), "{bad:?}");
        }
        assert!(!is_address(&format!("{}@b.test", "a".repeat(65))));
        assert!(!is_address(&format!("a@{}test", "b.".repeat(130))));
        assert_eq!(normalise(" Ada@Example.TEST\t"), "ada@example.test");
    }

    /// Section 5.2, 6.2.1 and 6.2.5: a length, and no rules of composition.
    #[test]
    fn any_characters_make_a_password_if_they_are_12_to_128() {
        for good in [
            "aaaaaaaaaaaaaaaaaaaa zz",
            "            ",
            "\u{0}\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}\u{9}\u{a}\u{b}",
            &"\u{1f600}".repeat(12),
            &"\u{1f600}".repeat(128),
        ] {
            assert_eq!(password(good), Ok(()), "{good:?}");
        }
        let length = Err(UsersError::Invalid { fields: vec![InvalidField::PasswordLength] });
        for bad in ["", "eleven char", &"\u{1f600}".repeat(11), &"x".repeat(129)] {
            assert_eq!(password(bad), length, "{bad:?}");
        }
    }

    /// Section 5.2, 6.2.4: what is tried first is refused, in any case of its letters.
    #[test]
    fn common_passwords_are_refused() {
        assert!(COMMON.len() > 300);
        let common = Err(UsersError::Invalid { fields: vec![InvalidField::PasswordTooCommon] });
        for bad in ["password1234", "PassWord1234", "qwertyuiop123", "Ada.Lovelace@Example.test"] {
            assert_eq!(password(bad), common, "{bad}");
        }
        for listed in COMMON.iter() {
            assert!(listed.len() >= 12 && *listed == listed.to_lowercase(), "{listed} can never be met");
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let checked = Fields::default().email("a").name(" ").password(&Secret::new("short"), "a").check();
        let fields = vec![InvalidField::Email, InvalidField::Name, InvalidField::PasswordLength];
        assert_eq!(checked, Err(UsersError::Invalid { fields }));
        assert!(Fields::default().name("a\nb").check().is_err());
        assert!(Fields::default().name(&"x".repeat(201)).check().is_err());
        assert!(Fields::default().name(&"x".repeat(200)).check().is_ok());
    }
}
