//! What everything at the broker is called.

use lapin::types::ShortString;

/// Short enough that namespace, kind and module together fit into the 255 bytes of an AMQP short string.
const LONGEST: usize = 100;

/// Whether this can be part of a queue's name: a dot would be read as the end of the part.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// The module that a request's name belongs to: `inventory` of `inventory.reserve`.
pub(crate) fn module_of(name: &str) -> &str {
    name.split_once('.').map_or(name, |(module, _)| module)
}

/// The names in one namespace. Modules are checked by [`is_name`] before they get here.
#[derive(Debug, Clone)]
pub(crate) struct Names(pub(crate) String);

impl Names {
    pub(crate) fn calls(&self, module: &str) -> ShortString {
        format!("{}.call.{module}", self.0).into()
    }

    /// Where those hear that serve a module of calls that are called off.
    pub(crate) fn notices(&self, module: &str) -> ShortString {
        format!("{}.notice.{module}", self.0).into()
    }

    pub(crate) fn exchange(&self) -> ShortString {
        format!("{}.events", self.0).into()
    }

    pub(crate) fn events(&self, module: &str) -> ShortString {
        format!("{}.events.{module}", self.0).into()
    }

    pub(crate) fn dead(&self) -> ShortString {
        format!("{}.dead", self.0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_names_fit_into_a_short_string() {
        let longest = "x".repeat(LONGEST);
        assert!(is_name(&longest) && !is_name(&"x".repeat(LONGEST + 1)));
        let names = Names(longest.clone());
        assert!(names.events(&longest).as_str().len() <= 255);
    }

    #[test]
    fn what_means_something_to_a_broker_is_no_name() {
        for bad in ["", "a.b", "#", "*", "a b", "ä", "a\0"] {
            assert!(!is_name(bad), "{bad:?}");
        }
        assert_eq!(module_of("inventory.reserve"), "inventory");
        assert_eq!(module_of("inventory"), "inventory");
    }
}
