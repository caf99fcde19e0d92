//! Makes what an installation has besides the programs, from the programs' own command lines.
//!
//! `dist documents DIR` writes man pages to `DIR/man` and shell completions to `DIR/bash`, `DIR/zsh` and
//! `DIR/fish`. `dist programs` prints a line `PACKAGE PROGRAM` for each program there is.

mod documents;
mod programs;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

use programs::PROGRAMS;

/// Makes what an installation of opt-runtime has besides the programs.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write man pages and shell completions below a directory
    Documents {
        /// The directory
        directory: PathBuf,
    },
    /// Print each program with the package that makes it
    Programs,
}

fn main() -> Result<()> {
    match Cli::parse().what {
        What::Documents { directory } => {
            for program in PROGRAMS {
                documents::write(&directory, (program.command)())?;
            }
        }
        What::Programs => {
            for program in PROGRAMS {
                println!("{} {}", program.package, (program.command)().get_name());
            }
        }
    }
    Ok(())
}
