//! `shifterimg`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    shifterimg::main()
}
