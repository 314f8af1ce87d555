//! One attempt to connect, with an end to it.

use crate::{
    session::{Failure, Session},
    settings::AmqpSettings,
};
use lapin::{
    AsyncTcpStream, Connection, ConnectionProperties, runtime,
    tcp::{AMQPUriTcpExt, OwnedTLSConfig, TLSConfig},
    uri::{AMQPScheme, AMQPUri},
};
use std::{
    io,
    net::{Shutdown, TcpStream},
    os::fd::AsFd,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::timeout;

/// How long an attempt may take, from the name's look-up to the broker's welcome.
const PATIENCE: Duration = Duration::from_secs(10);

/// A second handle on the connection's socket. A broker that accepts and then says nothing keeps lapin's thread
/// waiting for ever, whoever gives the attempt up; a socket that is shut down ends it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Socket(Arc<Mutex<Option<TcpStream>>>);

impl Socket {
    fn hold(&self, socket: TcpStream) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(socket);
    }

    /// Ends the connection without a farewell.
    pub(crate) fn shut(&self) {
        if let Some(socket) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // It is already shut where this fails.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

/// Connects once.
pub(crate) async fn dial(uri: &AMQPUri, settings: &AmqpSettings) -> Result<Session, Failure> {
    let socket = Socket::default();
    let tls = OwnedTLSConfig { identity: None, cert_chain: settings.certificate_authority.clone() };
    let runtime = runtime::default_runtime()?;
    let connect = {
        let (socket, runtime) = (socket.clone(), runtime.clone());
        async move |uri: AMQPUri, _| {
            let plain = AMQPUri { scheme: AMQPScheme::AMQP, ..uri.clone() };
            let stream = plain.connect_with_config_async(TLSConfig::default(), &runtime).await?;
            if let AsyncTcpStream::Plain(tcp) = &stream {
                socket.hold(tcp.get_ref().as_fd().try_clone_to_owned()?.into());
            }
            match uri.scheme {
                AMQPScheme::AMQP => Ok(stream),
                AMQPScheme::AMQPS => Ok(stream.into_tls(&uri.authority.host, tls.as_ref()).await?),
            }
        }
    };
    let properties =
        ConnectionProperties::default().with_connection_name(settings.connection_name.as_str().into());
    let connecting = Connection::connector(uri.clone(), runtime, connect, properties);
    match timeout(PATIENCE, connecting).await {
        Ok(connected) => Ok(Session::new(connected?, socket)),
        Err(_) => {
            socket.shut();
            Err(Failure::Refused(io::Error::from(io::ErrorKind::TimedOut).into()))
        }
    }
}
