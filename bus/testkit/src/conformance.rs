//! The semantics that every placement shares, each as one body that runs on any of them.
//!
//! Without them a split would change behaviour. An adapter's test binary is one call of
//! [`conformance!`](crate::conformance!) with its placement; a failure names the placement in its path.

mod answers;
mod context;
mod deadlines;
mod inbox;
mod limits;
mod probe;
mod world;

pub use answers::*;
pub use context::*;
pub use deadlines::*;
pub use inbox::*;
pub use limits::*;

use crate::Placement;
use std::{pin::Pin, time::Duration};

/// Far longer than any state needs to come about, on a busy machine too.
const SOON: Duration = Duration::from_secs(20);

/// Runs one body on one placement, in an actix system of its own; nothing may hang.
///
/// # Panics
/// Where the body does, or does not end.
pub fn run<'a>(
    placement: &'a dyn Placement,
    semantic: &str,
    body: impl FnOnce(&'a dyn Placement) -> Pin<Box<dyn Future<Output = ()> + 'a>>,
) {
    let ended =
        actix_rt::System::new().block_on(async { tokio::time::timeout(SOON * 3, body(placement)).await });
    assert!(ended.is_ok(), "{semantic} hangs on {}", placement.name());
}

/// Declares a module of tests for each placement, one test for each semantic. Attributes before a module are those
/// of its tests: `#[ignore = "needs a broker"] broker: Broker::default()`.
#[macro_export]
macro_rules! conformance {
    ($($(#[$attribute:meta])* $module:ident: $placement:expr),+ $(,)?) => {
        $(
            mod $module {
                $crate::__each_semantic! { [$placement] [$(#[$attribute])*]
                    a_call_is_answered_by_the_handler,
                    values_are_not_shared,
                    a_panicking_handler_fails_its_caller_only,
                    calls_queued_around_a_panic_are_all_answered,
                    a_started_call_runs_to_its_end,
                    every_error_is_the_same_value_as_in_the_handler,
                    an_unknown_method_is_answered_at_once,
                    an_unknown_port_is_answered_at_once,
                    a_link_swapped_while_calls_run_loses_no_call,

                    the_context_reaches_the_handler_and_its_sub_calls,
                    the_command_is_seen_by_the_first_module_only,
                    the_replay_mark_travels_back,
                    calls_at_the_same_time_keep_their_contexts_apart,

                    the_innermost_time_out_wins,
                    a_zero_time_out_is_refused,
                    a_call_is_answered_at_its_deadline,
                    sub_calls_inherit_what_is_left,
                    a_callers_time_out_is_not_handed_down,
                    a_sub_call_without_time_left_is_not_sent,
                    a_chain_of_calls_that_is_too_deep_is_refused,

                    so_many_calls_run_so_many_wait_and_the_rest_is_refused,
                    zero_permits_refuse_and_permits_change_while_held_and_waited_for,
                    a_waiter_gives_up_at_its_deadline,
                    a_cancelled_waiter_leaves_its_place_and_takes_no_permit,
                    calls_whose_deadline_passed_in_the_queue_are_never_executed,
                    nothing_is_pending_after_unanswered_calls,

                    deliveries_are_answered_with_their_receipts_in_order,
                    an_inbox_error_is_the_same_value,
                    an_unknown_inbox_is_answered_at_once,
                    a_panicking_inbox_fails_its_delivery_only,
                    receiving_runs_to_its_end_although_the_sender_has_gone,
                }
            }
        )+
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __each_semantic {
    ([$placement:expr] $attributes:tt $($semantic:ident,)+) => {
        $($crate::__semantic! { [$placement] $attributes $semantic })+
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __semantic {
    ([$placement:expr] [$(#[$attribute:meta])*] $semantic:ident) => {
        #[test]
        $(#[$attribute])*
        fn $semantic() {
            $crate::conformance::run(&$placement, stringify!($semantic), |placement| {
                ::std::boxed::Box::pin($crate::conformance::$semantic(placement))
            });
        }
    };
}
