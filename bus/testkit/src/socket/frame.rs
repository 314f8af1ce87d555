//! What travels on the connection.

use bus::{BusError, Headers};
use bytes::Bytes;
use futures::{Stream, stream};
use serde::{Deserialize, Serialize};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Nobody sends more on purpose.
const LARGEST: u32 = 64 << 20;

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Head {
    /// A call, or a delivery: its bytes are the body.
    Request { id: u64, name: String, headers: Headers },
    /// The answer is the body, unless there is an error in its place.
    Answer { id: u64, error: Option<BusError> },
    /// The caller has left.
    Cancel { id: u64 },
}

#[derive(Debug)]
pub(super) struct Frame {
    pub(super) head: Head,
    pub(super) body: Bytes,
}

pub(super) async fn write(to: &mut (impl AsyncWrite + Unpin), frame: &Frame) -> io::Result<()> {
    let head = serde_json::to_vec(&frame.head)?;
    let mut bytes = Vec::with_capacity(8 + head.len() + frame.body.len());
    for part in [&head[..], &frame.body[..]] {
        let length = u32::try_from(part.len()).map_err(io::Error::other)?;
        bytes.extend(length.to_be_bytes());
    }
    bytes.extend(head);
    bytes.extend(&frame.body);
    to.write_all(&bytes).await
}

/// The frames that arrive, until the connection ends or sends nonsense. Unlike a bare read, waiting for the
/// next one may be given up half-way without losing what has arrived of it.
pub(super) fn frames<R: AsyncRead + Unpin>(from: R) -> impl Stream<Item = Frame> {
    stream::unfold(from, async |mut from| read(&mut from).await.ok().map(|frame| (frame, from)))
}

async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Frame> {
    let (head, body) = (from.read_u32().await?, from.read_u32().await?);
    if head > LARGEST || body > LARGEST {
        return Err(io::Error::other("the frame is too large"));
    }
    let mut bytes = vec![0; head as usize];
    from.read_exact(&mut bytes).await?;
    let head = serde_json::from_slice(&bytes)?;
    let mut bytes = vec![0; body as usize];
    from.read_exact(&mut bytes).await?;
    Ok(Frame { head, body: bytes.into() })
}
