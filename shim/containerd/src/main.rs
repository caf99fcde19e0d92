//! `containerd-shim-opt-v1`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    containerd_shim_opt::main()
}
