//! `config check`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use bundles::shifter::Config;
use bundles::shifter::config::{Finding, USUAL_PATH, Weight};
use bundles::shifter::trusted::ROOT;
use runtime::telling;

use crate::commands::image::place::absolute;

/// Arguments of `config check`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The file [default: /etc/shifter/udiRoot.conf]
    #[arg(value_parser = absolute)]
    file: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Prints what there is to say of the file, a line each; exits with 1 where something is dangerous.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    let path = arguments.file.clone();
    let path = path.unwrap_or_else(|| USUAL_PATH.into());
    let findings = Config::read(&path, &ROOT)?.findings(&ROOT);
    let text = match arguments.json {
        true => format!("{}\n", serde_json::to_string_pretty(&findings)?),
        false => findings
            .iter()
            .map(|finding| line(&path, finding))
            .collect(),
    };
    telling::print(&text)?;
    let is_dangerous = findings
        .iter()
        .any(|finding| finding.weight == Weight::Dangerous);
    Ok(ExitCode::from(u8::from(is_dangerous)))
}

fn line(path: &std::path::Path, finding: &Finding) -> String {
    let path = path.display();
    let place = finding
        .line
        .map_or_else(String::new, |line| format!(":{line}"));
    let weight = match finding.weight {
        Weight::Dangerous => "dangerous",
        Weight::Doubtful => "doubtful",
        Weight::Dead => "dead",
        Weight::Deprecated => "deprecated",
    };
    let key = match finding.key.as_str() {
        "" => String::new(),
        key => format!("{key}: "),
    };
    format!("{path}{place}: {weight}: {key}{}\n", finding.text)
}
