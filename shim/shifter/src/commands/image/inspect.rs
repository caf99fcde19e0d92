//! `image inspect`: what a file is.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use image_files::FileSystem;
use runtime::telling;

/// Arguments of `image inspect`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The file
    file: PathBuf,
}

/// Prints the file system that is in it and its length in bytes.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    let path = &arguments.file;
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("open {shown}"))?;
    let found = FileSystem::of(&file).with_context(|| shown.to_string())?;
    telling::print(&format!("{} {}\n", found.kind.name(), found.length))?;
    Ok(ExitCode::SUCCESS)
}
