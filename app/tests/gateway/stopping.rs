//! B27: a stop loses nothing that was begun.

use crate::{
    client::read_one,
    fixture::{Server, eventually},
};
use std::{io::Write as _, net::TcpStream, sync::atomic::Ordering};

/// B27, C17, M6: what runs is answered, the listener is closed, and writes without a client are waited for.
#[test]
fn a_stop_finishes_what_runs() {
    let mut server = Server::start();
    let hold = |server: &Server| {
        let mut socket = server.connect();
        let text = "POST /api/v1/held HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
        socket.write_all(text.as_bytes()).expect("sent");
        socket
    };
    let mut waiting = hold(&server);
    let gone = hold(&server);
    eventually("both have begun", || server.things.asked.load(Ordering::SeqCst) == 2);
    drop(gone);
    let mut idle = server.connect();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").expect("sent");
    assert_eq!(read_one(&mut idle, false).status, 200);
    server.begin_stop();
    eventually("nobody gets in any more", || TcpStream::connect(server.address).is_err());
    assert!(server.lifecycle.draining());
    assert_eq!(server.things.written.load(Ordering::SeqCst), 0);
    server.things.gate.add_permits(2);
    assert_eq!(read_one(&mut waiting, false).status, 204, "who waited is answered");
    server.join();
    assert_eq!(server.things.written.load(Ordering::SeqCst), 2, "and the other's write is done too");
}
