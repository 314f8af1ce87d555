//! What only a wire does: it gets lost, comes back, and carries errors that no handler made.
//!
//! The suite below the bus, for bytes and headers: an adapter's test binary is one call of
//! [`wire!`](crate::wire!) with its [`Wire`], beside that of [`conformance!`](crate::conformance!).
//! [`listener!`](crate::listener!) is for those whose serving half is a [`bus::Listener`].

mod calls;
mod echo;
mod listening;

pub use calls::*;
pub use listening::*;

use async_trait::async_trait;
use bus::{Listener, Transport};
use std::{pin::Pin, sync::Arc, time::Duration};

/// The module that the suite calls: what a [`Wire`] opens when it serves.
pub const MODULE: &str = "wire";

/// Far longer than any state needs to come about, on a busy machine too.
const SOON: Duration = Duration::from_secs(20);

/// An adapter. Runs inside an actix system.
#[async_trait(?Send)]
pub trait Wire {
    /// What failures call it.
    fn name(&self) -> &'static str;

    /// Whether each end learns at once that the other has gone. A connection tells; a broker between the two
    /// does not, and a call ends at its deadline.
    fn sees_the_other_end(&self) -> bool {
        true
    }

    /// Serves what `answers` for [`MODULE`], under a name or address that is nobody else's.
    async fn serve(&self, answers: Arc<dyn Transport>) -> Box<dyn Line>;
}

/// A served wire with its calling half. Dropped, it serves no longer.
#[async_trait(?Send)]
pub trait Line {
    /// The calling half; the same one each time.
    fn client(&self) -> Arc<dyn Transport>;

    /// How many answers the calling half waits for.
    fn pending(&self) -> usize;

    /// The serving half goes away without a farewell, as a killed process does.
    async fn cut(&mut self);

    /// It comes back where it was, and has opened [`MODULE`] when this returns.
    async fn restore(&mut self);

    /// The serving half, where it is a listener.
    fn listener(&self) -> Option<Arc<dyn Listener>> {
        None
    }
}

/// Runs one body on one wire, in an actix system of its own; nothing may hang.
///
/// # Panics
/// Where the body does, or does not end.
pub fn run<'a>(
    wire: &'a dyn Wire,
    what: &str,
    body: impl FnOnce(&'a dyn Wire) -> Pin<Box<dyn Future<Output = ()> + 'a>>,
) {
    let ended = actix_rt::System::new().block_on(async { tokio::time::timeout(SOON * 3, body(wire)).await });
    assert!(ended.is_ok(), "{what} hangs on {}", wire.name());
}

/// Declares a module of tests for each wire. Attributes before a module are those of its tests:
/// `#[ignore = "needs a broker"] broker: Broker::default()`.
#[macro_export]
macro_rules! wire {
    ($($(#[$attribute:meta])* $module:ident: $wire:expr),+ $(,)?) => {
        $(
            mod $module {
                $crate::__each_of_wire! { [$wire] [$(#[$attribute])*]
                    a_bus_error_outside_of_any_answer_is_the_same_value,
                    bytes_that_are_no_json_arrive_as_they_are,
                    a_large_body_arrives_whole,
                    headers_arrive_as_they_are_and_no_others,
                    a_delivery_is_answered_by_the_inbox,
                    an_unknown_name_is_answered_with_a_value,
                    a_lost_connection_fails_what_waits_and_the_next_call_reconnects,
                    a_cancelled_call_leaves_nothing_on_either_side,
                    a_panic_in_the_server_fails_its_call_only,
                }
            }
        )+
    };
}

/// Declares a module of tests for each wire whose serving half is a [`bus::Listener`].
#[macro_export]
macro_rules! listener {
    ($($(#[$attribute:meta])* $module:ident: $wire:expr),+ $(,)?) => {
        $(
            mod $module {
                $crate::__each_of_wire! { [$wire] [$(#[$attribute])*]
                    a_module_that_is_not_open_is_not_answered_for,
                    closing_waits_for_what_runs_and_takes_nothing_more,
                    closing_one_module_leaves_the_others_open,
                }
            }
        )+
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __each_of_wire {
    ([$wire:expr] $attributes:tt $($test:ident,)+) => {
        $($crate::__of_wire! { [$wire] $attributes $test })+
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __of_wire {
    ([$wire:expr] [$(#[$attribute:meta])*] $test:ident) => {
        #[test]
        $(#[$attribute])*
        fn $test() {
            $crate::wire::run(&$wire, stringify!($test), |wire| {
                ::std::boxed::Box::pin($crate::wire::$test(wire))
            });
        }
    };
}
