//! The program: its entry, and its command line for whoever documents that.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Arg, Command};

use crate::actions;
use crate::flags::Flags;

const NAME: &str = "containerd-shim-opt-v1";

/// The name by which containerd knows this runtime.
pub(crate) const RUNTIME: &str = "io.containerd.opt.v1";

/// Does what this process's arguments say.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match Flags::parse(&arguments).and_then(|flags| run(&flags)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where nobody reads it any more, nobody is told.
            let _ = writeln!(io::stderr(), "{NAME}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(flags: &Flags) -> Result<()> {
    if flags.version {
        let text = format!("{NAME} version {}\n", env!("CARGO_PKG_VERSION"));
        return io::stdout()
            .write_all(text.as_bytes())
            .context("print the version");
    }
    if flags.info {
        return actions::info();
    }
    if flags.action == actions::HELPER {
        return actions::helper();
    }
    if flags.namespace.is_empty() || flags.id.is_empty() {
        bail!(
            "containerd runs this program; by hand only -version; hint: ctr run --runtime {RUNTIME}"
        );
    }
    match flags.action.as_str() {
        "start" => actions::start(flags),
        "delete" => actions::delete(flags),
        "" => actions::serve(flags),
        other => bail!("action \"{other}\": not start or delete"),
    }
}

/// The command line, for its man page: containerd's, with one dash or two before each flag.
pub fn command() -> Command {
    let value = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let flag =
        |name: &'static str, help: &'static str| Arg::new(name).long(name).num_args(0).help(help);
    Command::new(NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .about("containerd's shim for opt-runtime: what containerd runs for --runtime io.containerd.opt.v1")
        .disable_version_flag(true)
        .arg(value("namespace", "NAME", "containerd's namespace"))
        .arg(value("id", "ID", "The container"))
        .arg(value("address", "SOCKET", "containerd's socket"))
        .arg(value("publish-binary", "PROGRAM", "Not used: events go over TTRPC_ADDRESS"))
        .arg(value("bundle", "DIR", "The bundle, for delete"))
        .arg(flag("debug", "Log every request"))
        .arg(flag("info", "Print what this runtime is, as containerd reads it, and exit"))
        .arg(flag("version", "Print the version and exit"))
        .arg(
            Arg::new("action")
                .value_name("ACTION")
                .value_parser(["start", "delete"])
                .help("start a shim, or clear away what a dead one left; without, be the shim"),
        )
}
