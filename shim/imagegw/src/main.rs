//! `shifter-imagegw`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    imagegw::main()
}
