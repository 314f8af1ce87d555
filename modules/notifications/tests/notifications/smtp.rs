//! A small mail server that does what it is told, badly if need be.

use notifications::{Secret, SmtpSettings, TlsMode};
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// What it does with the next letter. Without any it accepts.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Answers RCPT with this.
    Refuse(String),
    /// Takes the letter and hangs up before it says so.
    HangUp,
    /// Takes the letter and never says so.
    Hold,
    /// Answers AUTH with this.
    RefuseSignIn(String),
}

/// A letter that it took.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) to: String,
    pub(crate) text: String,
}

impl Mail {
    /// A header's values.
    pub(crate) fn header(&self, name: &str) -> Vec<String> {
        let (head, _) = self.text.split_once("\r\n\r\n").unwrap_or((&self.text, ""));
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let of = |line: &str| {
            let (own, value) = line.split_once(':')?;
            own.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        };
        unfolded.lines().filter_map(of).collect()
    }

    pub(crate) fn message_id(&self) -> String {
        self.header("Message-ID").concat()
    }
}

#[derive(Default)]
struct State {
    acts: Mutex<VecDeque<Act>>,
    mails: Mutex<Vec<Mail>>,
    signed_in: Mutex<Vec<String>>,
}

pub(crate) struct MailServer {
    address: SocketAddr,
    state: Arc<State>,
}

impl MailServer {
    pub(crate) async fn start(acts: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State { acts: Mutex::new(acts.into_iter().collect()), ..State::default() });
        let serving = Arc::clone(&state);
        drop(bus::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&serving);
                drop(bus::spawn(async move { drop(converse(stream, &state).await) }));
            }
        }));
        Self { address, state }
    }

    pub(crate) fn settings(&self) -> SmtpSettings {
        SmtpSettings {
            host: self.address.ip().to_string(),
            port: Some(self.address.port()),
            tls: TlsMode::None,
            username: None,
            password: None,
            timeout: Duration::from_secs(5),
            connections: 4,
        }
    }

    pub(crate) fn settings_with_password(&self, password: &str) -> SmtpSettings {
        let (username, password) = (Some("shop".into()), Some(Secret::new(password)));
        SmtpSettings { username, password, ..self.settings() }
    }

    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.state.mails.lock().unwrap().clone()
    }

    /// What clients signed in with.
    pub(crate) fn signed_in(&self) -> Vec<String> {
        self.state.signed_in.lock().unwrap().clone()
    }
}

impl State {
    /// The next act, if it is of the kind that belongs here.
    fn act(&self, fits: impl Fn(&Act) -> bool) -> Option<Act> {
        let mut acts = self.acts.lock().unwrap();
        if acts.front().is_some_and(fits) { acts.pop_front() } else { None }
    }
}

async fn converse(stream: TcpStream, state: &State) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 test\r\n").await?;
    let (mut line, mut to) = (String::new(), String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" => "250-test\r\n250-8BITMIME\r\n250 AUTH PLAIN".into(),
            "AUTH" => match state.act(|act| matches!(act, Act::RefuseSignIn(_))) {
                Some(Act::RefuseSignIn(answer)) => answer,
                _ => {
                    state.signed_in.lock().unwrap().push(line.trim().to_owned());
                    "235 welcome".into()
                }
            },
            "RCPT" => {
                line.trim().clone_into(&mut to);
                match state.act(|act| matches!(act, Act::Refuse(_))) {
                    Some(Act::Refuse(answer)) => answer.replace("{to}", &to),
                    _ => "250 ok".into(),
                }
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let mut text = String::new();
                while !text.ends_with("\r\n.\r\n") {
                    if stream.read_line(&mut text).await? == 0 {
                        return Ok(());
                    }
                }
                state.mails.lock().unwrap().push(Mail { to: to.clone(), text });
                match state.act(|act| matches!(act, Act::HangUp | Act::Hold)) {
                    Some(Act::HangUp) => return Ok(()),
                    Some(_) => std::future::pending().await,
                    None => "250 taken".into(),
                }
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => "250 ok".into(),
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}
