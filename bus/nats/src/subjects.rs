//! What things are called on the broker, and which of its subjects may be answered to.

use async_nats::Subject;
use std::sync::Arc;

/// The names below one namespace.
#[derive(Debug, Clone)]
pub(crate) struct Subjects {
    namespace: Arc<str>,
}

impl Subjects {
    /// `None` for what is no token of a subject.
    pub(crate) fn new(namespace: &str) -> Option<Self> {
        is_token(namespace).then(|| Self { namespace: namespace.into() })
    }

    /// Where the request of this name is sent; `None` where no subject can have the name.
    pub(crate) fn call(&self, name: &str) -> Option<Subject> {
        let sendable = name.split('.').all(is_token);
        sendable.then(|| [&*self.namespace, ".call.", name].concat().into())
    }

    /// All requests of a module.
    pub(crate) fn calls(&self, module: &str) -> String {
        format!("{}.call.{module}.>", self.namespace)
    }

    /// The name of the request that was sent to this subject.
    pub(crate) fn name<'a>(&self, subject: &'a str) -> Option<&'a str> {
        subject.strip_prefix(&*self.namespace)?.strip_prefix(".call.")
    }

    /// What callers ask all who serve a module about calls that run.
    pub(crate) fn control(&self, module: &str) -> Subject {
        [&*self.namespace, ".control.", module].concat().into()
    }

    /// What every reply's subject begins with.
    pub(crate) fn replies(&self) -> String {
        format!("{}.reply", self.namespace)
    }

    /// Whether this is where somebody waits for a reply. Whoever asks names the subject that is answered to, with our
    /// rights: any other could be a command to the broker, or a call.
    pub(crate) fn is_reply(&self, subject: &str) -> bool {
        let below = subject.strip_prefix(&*self.namespace).and_then(|rest| rest.strip_prefix(".reply."));
        below.is_some_and(|below| below.split('.').all(is_token))
    }

    /// Where batches of events for a module are sent.
    pub(crate) fn events(&self, module: &str) -> Subject {
        format!("{}.events.{module}", self.namespace).into()
    }

    /// The stream that keeps them.
    pub(crate) fn stream(&self, module: &str) -> String {
        format!("{}_events_{module}", self.namespace)
    }
}

/// Letters, digits, `_` and `-`: what a token may hold on every version of the server, in a stream's name too.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// The module that a name belongs to.
pub(crate) fn module(name: &str) -> &str {
    name.split_once('.').map_or(name, |(module, _)| module)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_again_in_its_subject() {
        let subjects = Subjects::new("shop").expect("a token");
        let subject = subjects.call("inventory.reserve").expect("a name");
        assert_eq!(subject.as_str(), "shop.call.inventory.reserve");
        assert_eq!(subjects.name(&subject), Some("inventory.reserve"));
        assert_eq!(subjects.name("shopper.call.inventory.reserve"), None);
        for name in ["", "a.", "a..b", "a.*", ">", "a b", "a\r\nPUB x 0"] {
            assert_eq!(subjects.call(name), None, "{name:?}");
        }
    }

    #[test]
    fn only_replies_are_answered_to() {
        let subjects = Subjects::new("shop").expect("a token");
        assert!(subjects.is_reply("shop.reply.x7Yd.12"));
        for forged in [
            "$JS.API.STREAM.DELETE.shop_events_orders",
            "shop.call.payments.refund",
            "shop.events.orders",
            "shop.reply.",
            "shop.reply.*",
            "shop.reply.a b",
            "shop2.reply.x.1",
            "other.reply.x.1",
            "",
        ] {
            assert!(!subjects.is_reply(forged), "{forged}");
        }
    }
}
