//! Tries the mutants: which of them does no suite notice? Ends with 1 where there is one.
#![expect(clippy::print_stdout, reason = "its findings are for whoever runs it")]

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};
use tests::mutants::{MUTANTS, Mutant};

fn main() -> io::Result<ExitCode> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let copy = root.join("target/mutants/sources");
    copy_sources(&root, &copy)?;
    let (mut killed, mut survivors) = (0, Vec::new());
    for mutant in
        MUTANTS.iter().filter(|mutant| wanted.is_empty() || wanted.iter().any(|name| name == mutant.name))
    {
        let file = copy.join(mutant.file);
        let original = fs::read_to_string(&file)?;
        fs::write(&file, original.replacen(mutant.original, mutant.fault, 1))?;
        let noticed = is_noticed(mutant, &copy);
        fs::write(&file, original)?;
        let verdict = match noticed? {
            Verdict::Killed => {
                killed += 1;
                "killed"
            }
            Verdict::Survived => {
                survivors.push(mutant.name);
                "SURVIVED"
            }
            Verdict::NotBuilt => {
                survivors.push(mutant.name);
                "DOES NOT BUILD"
            }
        };
        println!("{verdict}: {}", mutant.name);
    }
    println!("{killed} killed, {} not: {survivors:?}", survivors.len());
    Ok(if survivors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

enum Verdict {
    Killed,
    Survived,
    NotBuilt,
}

/// What git knows of, so that nothing of `target` comes along.
fn copy_sources(root: &Path, copy: &Path) -> io::Result<()> {
    if copy.exists() {
        fs::remove_dir_all(copy)?;
    }
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root).output()?;
    for name in listed.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let name = PathBuf::from(String::from_utf8_lossy(name).into_owned());
        let to = copy.join(&name);
        if let Some(directory) = to.parent() {
            fs::create_dir_all(directory)?;
        }
        fs::copy(root.join(&name), to)?;
    }
    Ok(())
}

fn is_noticed(mutant: &Mutant, copy: &Path) -> io::Result<Verdict> {
    let cargo = |arguments: &[&str]| {
        let mut command = tests::process::cargo();
        command.arg("test").args(arguments).current_dir(copy).env("CARGO_TARGET_DIR", copy.join("../target"));
        command.stdout(Stdio::null()).stderr(Stdio::null()).status()
    };
    let package = mutant.suite.split(|argument| *argument == "--").next().unwrap_or_default();
    if !cargo(&[package, &["--no-run"]].concat())?.success() {
        return Ok(Verdict::NotBuilt);
    }
    Ok(if cargo(mutant.suite)?.success() { Verdict::Survived } else { Verdict::Killed })
}
