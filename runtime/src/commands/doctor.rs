//! `doctor`.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use runtime::doctor::{Asked, Finding, Verdict, examine, is_fit};
use runtime::telling;

use crate::global::Global;

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// A directory of which containers get parts, such as where projects are
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub directory: PathBuf,
}

/// Tells what this host can and can't do; fails where something is missing without which nothing runs.
pub fn execute(global: &Global, arguments: &Arguments) -> Result<ExitCode> {
    let findings = examine(&Asked {
        state: global.store().root().to_path_buf(),
        directory: std::path::absolute(&arguments.directory)?,
        criu: global.criu.clone(),
        policy: global.policy.clone(),
    });
    let fit = is_fit(&findings);
    let text = if arguments.json {
        let told = serde_json::json!({ "fit": fit, "findings": findings });
        format!("{told:#}\n")
    } else {
        table(&findings)?
    };
    telling::print(&text)?;
    Ok(ExitCode::from(u8::from(!fit)))
}

fn table(findings: &[Finding]) -> Result<String> {
    let mut text = String::new();
    for finding in findings {
        let verdict = match finding.verdict {
            Verdict::Ok => "ok",
            Verdict::Limited => "limited",
            Verdict::Missing if finding.essential => "MISSING",
            Verdict::Missing => "missing",
        };
        writeln!(text, "{:<20} {verdict:<8} {}", finding.name, finding.found)?;
        if let Some(remedy) = &finding.remedy {
            writeln!(text, "{:<29} remedy: {remedy}", "")?;
        }
    }
    Ok(text)
}
