//! A client that says bytes as told and reads answers as they are framed, so that one that is cut short shows.

use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether it came to the end that it announced.
    pub(crate) whole: bool,
}

impl Answer {
    /// The values of a header, joined.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let values: Vec<&str> =
            self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Status and code of a problem.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type").as_deref(), Some("application/problem+json"), "{self:?}");
        (self.status, self.json()["code"].as_str().unwrap_or_default().to_owned())
    }
}

/// A connection.
pub(crate) struct Client {
    pub(crate) reader: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).expect("connects");
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
        socket.set_nodelay(true).expect("no delay");
        Self { reader: BufReader::new(socket) }
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        self.reader.get_ref()
    }

    /// Says it, as far as it is taken: whoever refuses early may have closed.
    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.reader.get_mut().write_all(bytes.as_ref());
    }

    pub(crate) fn ask(&mut self, text: impl AsRef<[u8]>) -> Answer {
        let head_only = text.as_ref().starts_with(b"HEAD");
        self.say(text);
        self.read(head_only).expect("an answer")
    }

    /// The next answer; `None` where the connection ends.
    pub(crate) fn read(&mut self, head_only: bool) -> Option<Answer> {
        let (status, headers) = self.head()?;
        let mut answer = Answer { status, headers, body: Vec::new(), whole: true };
        let bodiless = head_only || status < 200 || matches!(status, 204 | 304);
        if bodiless {
            return Some(answer);
        }
        if answer.header("transfer-encoding").is_some() {
            assert_eq!(answer.header("content-length"), None, "one framing: {answer:?}");
            answer.whole = self.chunks(&mut answer.body);
        } else if let Some(length) = answer.header("content-length") {
            let length: u64 = length.parse().expect("a length");
            let read = self.reader.by_ref().take(length).read_to_end(&mut answer.body);
            answer.whole = read.is_ok() && answer.body.len() as u64 == length;
        } else {
            answer.whole = self.reader.read_to_end(&mut answer.body).is_ok();
        }
        Some(answer)
    }

    /// Every answer until the connection ends.
    pub(crate) fn read_all(&mut self) -> Vec<Answer> {
        std::iter::from_fn(|| self.read(false)).collect()
    }

    fn head(&mut self) -> Option<(u16, Vec<(String, String)>)> {
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Some((status, headers));
            }
            let (name, value) = line.split_once(':').expect("a header");
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(length) if length > 0 && line.ends_with("\r\n") => {
                line.truncate(length - 2);
                Some(line)
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("the connection stays open: {line}")
            }
            _ => None,
        }
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> bool {
        loop {
            let Some(size) = self.line() else { return false };
            let size = u64::from_str_radix(&size, 16).expect("a size");
            let before = body.len() as u64;
            let read = self.reader.by_ref().take(size).read_to_end(body);
            if read.is_err() || body.len() as u64 != before + size || self.line().is_none() {
                return false;
            }
            if size == 0 {
                return true;
            }
        }
    }
}
