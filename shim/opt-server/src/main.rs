//! `opt-server`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    opt_server::main()
}
