//! What a signature covers: every part with its length before it, so that no two messages read the same, hashed as it
//! comes, so that nothing is copied.

use aws_lc_rs::digest::{Context, Digest, SHA256};

pub(crate) struct Transcript(Context);

impl Transcript {
    /// Begins with what the signature is for: one for another purpose never fits.
    pub(crate) fn new(purpose: &str) -> Self {
        let mut transcript = Self(Context::new(&SHA256));
        transcript.part(purpose.as_bytes());
        transcript
    }

    pub(crate) fn part(&mut self, bytes: &[u8]) {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.0.update(&length.to_be_bytes());
        self.0.update(bytes);
    }

    pub(crate) fn digest(self) -> Digest {
        self.0.finish()
    }
}
