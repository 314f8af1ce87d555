//! What was committed before: the base that a contract is compared with.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The workspace's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A file as of a commit; `None` where the commit has no such file.
///
/// # Errors
/// Where there is no such commit, or no git to ask: a comparison that cannot be made is not one that went well.
pub fn committed(revision: &str, path: &str) -> io::Result<Option<String>> {
    let commit = git(&["rev-parse", "--verify", "--quiet", &format!("{revision}^{{commit}}")])?;
    if !commit.status.success() {
        let reason = format!("there is no commit {revision} to compare with (a shallow clone has few)");
        return Err(io::Error::other(reason));
    }
    let listed = git(&["ls-tree", "--name-only", revision, "--", path])?;
    if !listed.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&listed.stderr).into_owned()));
    }
    if listed.stdout.is_empty() {
        return Ok(None);
    }
    let shown = git(&["show", &format!("{revision}:{path}")])?;
    if !shown.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&shown.stderr).into_owned()));
    }
    String::from_utf8(shown.stdout).map(Some).map_err(io::Error::other)
}

fn git(arguments: &[&str]) -> io::Result<Output> {
    Command::new("git").args(arguments).current_dir(root()).output()
}
