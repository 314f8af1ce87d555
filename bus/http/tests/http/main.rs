//! The HTTP adapter: every semantic of the bus on it, the suite of the wires, and what is HTTP's own.

mod answers;
mod calling;
mod limits;
mod peer;
mod raw;
mod serving;
mod targets;
mod wires;

bus_testkit::conformance! {
    http: crate::wires::Http,
}

bus_testkit::wire! {
    wire: crate::wires::Http,
}

bus_testkit::listener! {
    listener: crate::wires::Http,
}
