//! `image`: what a site or a user does with images outside containers.

mod convert;
mod inspect;
mod list;
mod mount;
pub(crate) mod place;
mod release;
mod verify;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

/// Subcommands of `image`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an image of another format, or of a directory
    Convert(convert::Arguments),
    /// Say what a file is: its file system, and whether all of it is there
    Inspect(inspect::Arguments),
    /// List the images that are mounted on this node, and for whom
    List(list::Arguments),
    /// Mount an image of the store, for a command or to stay
    Mount(mount::Arguments),
    /// Unmount what `image mount` left mounted
    Release(release::Arguments),
    /// Compare images' files with the digests in their .meta files
    Verify(verify::Arguments),
}

/// Does one of them.
pub fn execute(command: Command) -> Result<ExitCode> {
    match command {
        Command::Convert(arguments) => convert::execute(&arguments),
        Command::Inspect(arguments) => inspect::execute(&arguments),
        Command::List(arguments) => list::execute(&arguments),
        Command::Mount(arguments) => mount::execute(&arguments),
        Command::Release(arguments) => release::execute(&arguments),
        Command::Verify(arguments) => verify::execute(&arguments),
    }
}
