//! `image verify`: whether images' files are those that were made.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use bundles::shifter::image::Caller;
use runtime::policy::VerifyImages;
use runtime::telling;
use rustix::process::{getegid, geteuid};

use crate::images::check::check;
use crate::images::own::users_image;

/// Arguments of `image verify`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Images' files, with their .meta files beside them
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Prints a line for each, whatever is wrong with others; 1 where one isn't the file that was made.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for file in &arguments.files {
        match verify(file) {
            Ok(line) => telling::print(&line)?,
            Err(error) => {
                telling::say(&format!("shifter: {}\n", telling::line(error.as_ref())));
                code = ExitCode::from(1);
            }
        }
    }
    Ok(code)
}

fn verify(file: &Path) -> Result<String> {
    let this_process = Caller {
        uid: geteuid().as_raw(),
        gid: getegid().as_raw(),
        groups: vec![],
    };
    let image = users_image(file, &this_process)?;
    let checked = check(&image, VerifyImages::Required, None)?;
    Ok(format!("{}: {checked}\n", file.display()))
}
