//! `opt-runtime`: an OCI container runtime that keeps the promise of sealed bundles.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::program::main()
}
