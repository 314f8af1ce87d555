//! Lists of messages as types, `(First, (Second, ()))`, and how to go through them: a port's `Requests` is one, so no
//! method can be forgotten.

use bus::{Event, Request};
use schemars::JsonSchema;

/// What wants to see every request.
pub(crate) trait Requests {
    /// This is one.
    fn request<R>(&mut self)
    where
        R: Request + JsonSchema,
        R::Response: JsonSchema,
        R::Error: JsonSchema;
}

/// A list of requests.
pub(crate) trait RequestList {
    /// Shows each.
    fn each(to: &mut impl Requests);
}

impl RequestList for () {
    fn each(_: &mut impl Requests) {}
}

impl<R, Rest: RequestList> RequestList for (R, Rest)
where
    R: Request + JsonSchema,
    R::Response: JsonSchema,
    R::Error: JsonSchema,
{
    fn each(to: &mut impl Requests) {
        to.request::<R>();
        Rest::each(to);
    }
}

/// What wants to see every event.
pub(crate) trait Events {
    /// This is one.
    fn event<E: Event + JsonSchema>(&mut self);
}

/// A list of events.
pub(crate) trait EventList {
    /// Shows each.
    fn each(to: &mut impl Events);
}

impl EventList for () {
    fn each(_: &mut impl Events) {}
}

impl<E: Event + JsonSchema, Rest: EventList> EventList for (E, Rest) {
    fn each(to: &mut impl Events) {
        to.event::<E>();
        Rest::each(to);
    }
}
