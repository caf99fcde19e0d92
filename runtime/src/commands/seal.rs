//! `seal`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use bundles::bundle;
use bundles::promise::{self, Kind, RunAs, seal_as};
use runtime::container::Bundle;
use runtime::policy::parse_run_as;
use runtime::telling;

/// Arguments of `seal`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The sealed bundle's directory, which must not exist yet
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Who runs what would be root on the host
    #[arg(long, value_name = "UID:GID", value_parser = parse_run_as)]
    pub run_as: Option<RunAs>,
    /// Print what changed as JSON
    #[arg(long)]
    pub json: bool,
    /// The bundle's directory; it stays as it is
    pub bundle: PathBuf,
}

/// Seals a bundle into a new one on the same root file system, and prints what changed.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    let mut bundle = Bundle::load(&arguments.bundle)?;
    let kind = bundle.kind.unwrap_or(Kind::Sealed);
    let changes = seal_as(&mut bundle.spec, kind, arguments.run_as);
    let report = promise::check(&bundle.spec, kind);
    if !report.is_kept() {
        let summary = report.summary();
        let hint = match arguments.run_as {
            None if summary.contains("is 0 on the host") => "; hint: --run-as UID:GID",
            _ => "",
        };
        bail!("sealing can't decide this: {summary}{hint}");
    }
    if let Some(root) = bundle.spec.root_mut() {
        root.set_path(bundle.rootfs);
    }
    bundle::write_without_root(&arguments.output, &bundle.spec)?;
    let text = if arguments.json {
        let told = serde_json::json!({ "kind": kind.as_str(), "changes": changes });
        format!("{told:#}\n")
    } else {
        changes.iter().map(|change| format!("{change}\n")).collect()
    };
    telling::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
