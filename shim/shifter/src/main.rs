//! `shifter`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    shifter::main()
}
