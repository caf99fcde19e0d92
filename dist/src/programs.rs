//! The programs that an installation has.

use clap::Command;

/// A program of the project.
#[derive(Debug)]
pub struct Program {
    /// The Cargo package that makes it.
    pub package: &'static str,
    /// Its command line, under its name.
    pub command: fn() -> Command,
}

/// All of them. What an installation has, is built and documented from this list.
pub const PROGRAMS: &[Program] = &[
    Program {
        package: "runtime",
        command: runtime::program::command,
    },
    Program {
        package: "containerd-shim-opt",
        command: containerd_shim_opt::command,
    },
    Program {
        package: "opt-server",
        command: opt_server::command,
    },
    Program {
        package: "shifter",
        command: shifter::command,
    },
    Program {
        package: "imagegw",
        command: imagegw::command,
    },
    Program {
        package: "shifterimg",
        command: shifterimg::command,
    },
];
