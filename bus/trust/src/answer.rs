//! An answer with the signature of who answers: the bytes, a line feed, `<server>.<signature>`.
//!
//! It covers the id of the seal that it answers, so an answer fits one call. Errors are not signed: they say that there is
//! no answer, and whoever can cut the line can say that too.

use crate::{Identity, peers::Known, refusal::Refusal, seal, transcript::Transcript};
use aws_lc_rs::digest::Digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::{BufMut as _, Bytes, BytesMut};

const PURPOSE: &str = "bus-trust answer, Ed25519";

/// A name, a dot, and a signature as base64.
const LONGEST_TRAILER: usize = 64 + 1 + 86;

/// Adds the signature.
pub(crate) fn sign(by: &Identity, id: u128, name: &str, answer: Bytes) -> Bytes {
    let signature = by.sign(covered(by.name(), id, name, &answer).as_ref());
    // Written behind the answer where its buffer has the room, and nobody else holds it.
    let mut signed = answer.try_into_mut().unwrap_or_else(|answer| {
        let mut copy = BytesMut::with_capacity(answer.len() + 1 + LONGEST_TRAILER);
        copy.put_slice(&answer);
        copy
    });
    signed.put_u8(b'\n');
    signed.put_slice(by.name().as_bytes());
    signed.put_u8(b'.');
    signed.put_slice(URL_SAFE_NO_PAD.encode(signature).as_bytes());
    signed.freeze()
}

/// The answer without the signature, which is one by a peer that runs the module.
pub(crate) fn open(
    peers: &Known,
    module: &str,
    id: u128,
    name: &str,
    mut answer: Bytes,
) -> Result<Bytes, Refusal> {
    let tail = answer.len().saturating_sub(LONGEST_TRAILER + 1);
    let line = answer[tail..].iter().rposition(|b| *b == b'\n').ok_or(Refusal::UnsignedAnswer)?;
    let trailer = answer.split_off(tail + line);
    let trailer = std::str::from_utf8(&trailer[1..]).ok().and_then(|text| text.split_once('.'));
    let (server, signature) = trailer.ok_or(Refusal::UnsignedAnswer)?;
    let peer = peers.peer(server).filter(|peer| peer.runs(module)).ok_or(Refusal::ForeignAnswer)?;
    let signature: [u8; 64] = seal::bytes(signature).ok_or(Refusal::UnsignedAnswer)?;
    if peer.signed(covered(server, id, name, &answer).as_ref(), &signature) {
        Ok(answer)
    } else {
        Err(Refusal::ForeignAnswer)
    }
}

fn covered(server: &str, id: u128, name: &str, answer: &[u8]) -> Digest {
    let mut transcript = Transcript::new(PURPOSE);
    for part in [server.as_bytes(), &id.to_be_bytes(), name.as_bytes(), answer] {
        transcript.part(part);
    }
    transcript.digest()
}
