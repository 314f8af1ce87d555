//! What a publisher confirm means for whoever waits.

use crate::{
    message::number,
    waiters::{Heard, Waiters},
};
use lapin::Confirmation;

/// Tells who waits what the broker said of the message with this number. A confirmation by itself is no answer.
///
/// D18: RabbitMQ acknowledges what it could not route, after it has sent it back. lapin hands what came back to
/// whichever confirmation is next, so it is known by its own number, not by that of the confirmation.
pub(crate) fn settle(published: u64, confirmed: lapin::Result<Confirmation>, waiters: &Waiters) {
    let (refused, returned) = match confirmed {
        Ok(Confirmation::Ack(returned)) => (false, returned),
        Ok(Confirmation::Nack(returned)) => (true, returned),
        // The channel is not in confirm mode, so nobody knows.
        Ok(Confirmation::NotRequested) => (true, None),
        // The channel is gone: its end is told to all who wait on it.
        Err(_) => return,
    };
    if let Some(number) = returned.and_then(|message| number(&message.delivery.properties)) {
        metrics::counter!("amqp_unroutable_total").increment(1);
        waiters.tell(number, Heard::Unroutable);
    }
    if refused {
        waiters.tell(published, Heard::Refused);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::waiters::Waiter;
    use futures::FutureExt;

    /// D18: only what the broker took is not a failure.
    #[test]
    fn what_was_not_confirmed_is_a_failure() {
        let waiters = std::sync::Arc::<Waiters>::default();
        for (confirmation, told) in [
            (Confirmation::Ack(None), None),
            (Confirmation::Nack(None), Some(Heard::Refused)),
            (Confirmation::NotRequested, Some(Heard::Refused)),
        ] {
            let mut waiter = Waiter::enter(&waiters);
            settle(waiter.number, Ok(confirmation), &waiters);
            assert_eq!(waiter.heard().now_or_never().flatten(), told);
        }
    }
}
