//! The `smtp` channel: a letter as a message (RFC 5322), handed to one mail server (RFC 5321).

use crate::{
    post::{Letter, PostError, Undelivered},
    settings::{SmtpSettings, TlsMode},
};
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{Mailbox, MultiPart, SinglePart, header::ContentType},
    transport::smtp::{
        Error, PoolConfig,
        authentication::Credentials,
        client::{Tls, TlsParameters},
        extension::ClientId,
    },
};
use std::time::{Duration, SystemTime};

/// The steps of a delivery, each with its own time-out: connect, TLS, EHLO, AUTH, MAIL, RCPT, DATA, the text.
const STEPS: u32 = 8;

/// A mail server, and who writes.
pub(crate) struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    timeout: Duration,
    connections: u32,
}

impl Mailer {
    pub(crate) fn new(from: Mailbox, settings: &SmtpSettings) -> Result<Self, PostError> {
        let parameters = || TlsParameters::new(settings.host.clone()).map_err(PostError::Tls);
        let (tls, port) = match settings.tls {
            TlsMode::Implicit => (Tls::Wrapper(parameters()?), 465),
            TlsMode::Starttls => (Tls::Required(parameters()?), 587),
            TlsMode::None => (Tls::None, 25),
        };
        let connections = settings.connections.max(1);
        let pool = PoolConfig::new().max_size(connections).idle_timeout(Duration::from_secs(30));
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port.unwrap_or(port))
            .tls(tls)
            .timeout(Some(settings.timeout))
            .hello_name(ClientId::Domain(from.email.domain().to_owned()))
            .pool_config(pool);
        match (&settings.username, &settings.password) {
            (None, None) => {}
            (Some(_), Some(_)) if settings.tls == TlsMode::None && !is_here(&settings.host) => {
                return Err(PostError::PlaintextPassword);
            }
            (Some(username), Some(password)) => {
                let credentials = Credentials::new(username.clone(), password.expose().to_owned());
                builder = builder.credentials(credentials);
            }
            _ => return Err(PostError::Credentials),
        }
        Ok(Self { transport: builder.build(), from, timeout: settings.timeout, connections })
    }

    pub(crate) fn connections(&self) -> usize {
        usize::try_from(self.connections).unwrap_or(1)
    }

    pub(crate) fn patience(&self) -> Duration {
        self.timeout.saturating_mul(STEPS)
    }

    pub(crate) async fn send(&self, letter: Letter<'_>) -> Result<(), Undelivered> {
        let message = self.message(&letter)?;
        self.transport.send(message).await.map(|_| ()).map_err(|error| undelivered(&error))
    }

    /// The letter as a message; the same whenever it is made, its MIME boundary aside.
    fn message(&self, letter: &Letter<'_>) -> Result<Message, Undelivered> {
        let invalid =
            |reason: &str| Undelivered { forever: true, reason: reason.into(), detail: reason.into() };
        // Parsed, not pasted: what is no single address does not get near a header.
        let address = letter.recipient.0.parse().map_err(|_| invalid("the recipient is not an address"))?;
        let since = Duration::from_micros(u64::try_from(letter.about.at.micros()).unwrap_or(0));
        let builder = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, address))
            .subject(letter.rendered.subject.clone())
            .date(SystemTime::UNIX_EPOCH + since)
            .message_id(Some(letter.about.message_id.clone()));
        let text = letter.rendered.text.clone();
        let message = match letter.rendered.html.clone() {
            Some(html) => builder.multipart(MultiPart::alternative_plain_html(text, html)),
            None => {
                let plain = SinglePart::builder().header(ContentType::TEXT_PLAIN);
                builder.singlepart(plain.body(text))
            }
        };
        message.map_err(|_| invalid("the message could not be made"))
    }
}

/// Whether a mail server is on this machine.
fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// 5xx is for ever (RFC 5321, 4.2.1), unless it is about us and not about the letter: a sign-in that is refused, or
/// an encryption that is asked for, gets better when somebody changes a setting.
fn undelivered(error: &Error) -> Undelivered {
    let code = error.status().map(u16::from);
    let about_us = matches!(code, Some(530 | 534 | 535 | 538));
    let forever = (error.is_permanent() && !about_us) || error.is_client();
    let reason = match code {
        Some(code) => format!("the mail server answered {code}"),
        None if error.is_timeout() => "the mail server did not answer in time".into(),
        None if error.is_tls() => "TLS to the mail server failed".into(),
        None if error.is_client() => "the message cannot be sent through this mail server".into(),
        None => "the mail server cannot be reached".into(),
    };
    let mut detail = reason.clone();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        detail = format!("{detail}: {cause}");
        source = cause.source();
    }
    Undelivered { forever, reason, detail: detail.chars().take(500).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Secret;

    fn mailer(
        host: &str,
        tls: TlsMode,
        username: Option<&str>,
        password: Option<&str>,
    ) -> Result<Mailer, PostError> {
        let settings = SmtpSettings {
            host: host.into(),
            port: None,
            tls,
            username: username.map(Into::into),
            password: password.map(Secret::new),
            timeout: Duration::from_secs(1),
            connections: 1,
        };
        Mailer::new("Shop <shop@example.test>".parse().expect("an address"), &settings)
    }

    #[tokio::test]
    async fn a_password_crosses_no_network_unprotected() {
        let (user, password) = (Some("u"), Some("p"));
        let far = mailer("mail.example.test", TlsMode::None, user, password);
        assert!(matches!(far, Err(PostError::PlaintextPassword)));
        assert!(mailer("127.0.0.1", TlsMode::None, user, password).is_ok());
        assert!(mailer("mail.example.test", TlsMode::Starttls, user, password).is_ok());
        assert!(mailer("mail.example.test", TlsMode::Implicit, user, password).is_ok());
        assert!(mailer("mail.example.test", TlsMode::None, None, None).is_ok());
        let half = mailer("127.0.0.1", TlsMode::None, user, None);
        assert!(matches!(half, Err(PostError::Credentials)));
    }
}
