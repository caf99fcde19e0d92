//! `audit`: the configuration against the published best practices.

use std::process::ExitCode;

use anyhow::{Context, Result};
use bundles::elf::Resolver;
use bundles::exposure::Bounds;
use bundles::opt_server::audit::{Audit, Level};
use clap::ValueEnum;
use runtime::telling;

use crate::configuration::Configuration;

/// Arguments of `audit`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
    /// As JSON
    #[arg(long, conflicts_with = "sarif")]
    json: bool,
    /// As SARIF 2.1.0, for code hosts and editors
    #[arg(long)]
    sarif: bool,
    /// Exit with 1 where a finding matters as much as this
    #[arg(long, value_name = "LEVEL", default_value = "warning")]
    fail_on: FailOn,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FailOn {
    Note,
    Warning,
    Error,
    Never,
}

impl FailOn {
    fn is_reached(self, audit: &Audit) -> bool {
        match self {
            Self::Note => audit.reaches(Level::Note),
            Self::Warning => audit.reaches(Level::Warning),
            Self::Error => audit.reaches(Level::Error),
            Self::Never => false,
        }
    }
}

/// Prints the findings; 1 where one is as bad as the caller said, else 0.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    let config = arguments.configuration.load()?;
    let resolver = Resolver::host().context("read this host's library configuration")?;
    let audit = Audit::of(&config, &resolver, Bounds::patient());
    let text = if arguments.sarif {
        format!("{}\n", serde_json::to_string_pretty(&audit.sarif())?)
    } else if arguments.json {
        format!("{}\n", serde_json::to_string_pretty(&audit)?)
    } else {
        audit.to_string()
    };
    telling::print(&text)?;
    Ok(ExitCode::from(u8::from(
        arguments.fail_on.is_reached(&audit),
    )))
}
