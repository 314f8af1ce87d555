//! Addresses for servers that a test starts, and starts again.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

/// A listener below the ports that the system gives to connections. Once it is dropped its port is free for a server,
/// and free again when that is started again. Several that are held at once differ.
///
/// # Errors
/// Where no port was free.
pub fn free_listener() -> io::Result<TcpListener> {
    let random = || 10_000 + rand::random::<u16>() % 20_000;
    let free = (0..100).find_map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, random())).ok());
    free.ok_or_else(|| io::Error::other("no port is free"))
}

/// The address of one that has been dropped.
///
/// # Errors
/// As [`free_listener`].
pub fn free_address() -> io::Result<SocketAddr> {
    free_listener()?.local_addr()
}
