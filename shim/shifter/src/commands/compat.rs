//! `compat`: Shifter's own black-box checks, on the site as it is installed.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use runtime::telling;

use crate::compat::{self, Row, Site};

/// Arguments of `compat`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// An image that has a /bin/sh [default: that of SHIFTER_IMAGEREQUEST]
    #[arg(short, long, value_name = "[TYPE:]NAME")]
    image: Option<String>,
    /// Whose containers the checks are; only root can say so, and root has to
    #[arg(short, long, value_name = "NAME|UID:GID")]
    user: Option<String>,
    /// The site's configuration [default: /etc/shifter/udiRoot.conf]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory for the state of containers [default: opt-runtime's]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Where it is noted which images are in use
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Prints a line for each check; exits with 1 where one fails.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    let rows = compat::check(&arguments.site()?)?;
    let text = match arguments.json {
        true => format!("{}\n", serde_json::to_string_pretty(&rows)?),
        false => table(&rows),
    };
    telling::print(&text)?;
    let all_are_met = rows.iter().all(|row| row.ok);
    Ok(ExitCode::from(u8::from(!all_are_met)))
}

impl Arguments {
    fn site(&self) -> Result<Site> {
        let image = self.image.clone();
        let image = image.or_else(|| std::env::var("SHIFTER_IMAGEREQUEST").ok());
        Ok(Site {
            image: image.context("no image is named; hint: shifter compat --image=NAME")?,
            user: self.user.clone(),
            config: self.config.clone(),
            root: self.root.clone(),
            state: self.state.clone(),
        })
    }
}

/// As a table, with the reasons of differences below it.
fn table(rows: &[Row]) -> String {
    let mut lines = vec![["CHECK", "EXPECTED", "GOT", "OK"].map(str::to_owned)];
    lines.extend(rows.iter().map(|row| {
        [
            row.check.to_owned(),
            row.expected.clone(),
            row.got.clone(),
            row.verdict().to_owned(),
        ]
    }));
    let width = |column: usize| {
        let lengths = lines.iter().map(|line| line[column].chars().count());
        lengths.max().unwrap_or(0)
    };
    let [check, expected, got] = [0, 1, 2].map(width);
    let line =
        |[a, b, c, ok]: &[String; 4]| format!("{a:<check$}  {b:<expected$}  {c:<got$}  {ok}\n");
    let mut text: String = lines.iter().map(line).collect();
    let mut differences = rows
        .iter()
        .filter_map(|row| Some((row, row.why?)))
        .peekable();
    if differences.peek().is_some() {
        text.push_str("\nDiffers from Shifter on purpose:\n");
    }
    for (row, why) in differences {
        text.push_str(&format!("{}: {why}\n", row.check));
    }
    text
}
