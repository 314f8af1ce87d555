//! The program. What it does is in the library, so that tests start the same.

fn main() -> std::process::ExitCode {
    cleave::main()
}
