//! Whether this site's containers are what Shifter's are: its own black-box checks (what its developers run on an
//! installed site), what its documentation promises that can be seen from outside, and what differs on purpose.
//!
//! Nothing here looks behind the command line: `shifter` is run as users run it.

mod checks;
mod probe;

use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;

/// An installed site, and an image to try it with.
#[derive(Debug, Clone)]
pub struct Site {
    /// An image with a `/bin/sh`.
    pub image: String,
    /// Whose containers they are, where root says so.
    pub user: Option<String>,
    /// The site's configuration, where it isn't in its usual place.
    pub config: Option<PathBuf>,
    /// The directory for the state of containers, likewise.
    pub root: Option<PathBuf>,
    /// The directory that knows of images in use, likewise.
    pub state: Option<PathBuf>,
}

/// Where a check is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Shifter's developers run it on installed sites.
    Upstream,
    /// Shifter's documentation says so.
    Documented,
    /// Here it is otherwise on purpose; what is expected is this version's.
    Difference,
}

/// A check and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What is looked at.
    pub check: &'static str,
    /// Where the check is from.
    pub kind: Kind,
    /// What should be there.
    pub expected: String,
    /// What is.
    pub got: String,
    /// Whether it is the same.
    pub ok: bool,
    /// Of a difference: what Shifter does, and why it isn't done here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<&'static str>,
}

impl Row {
    /// In a word.
    pub fn verdict(&self) -> &'static str {
        match (self.ok, self.kind) {
            (false, _) => "FAILS",
            (true, Kind::Difference) => "differs",
            (true, _) => "ok",
        }
    }
}

/// Runs all checks.
///
/// # Errors
/// Where they can't be run: no such site, image or user, or an image without a shell.
pub fn check(site: &Site) -> Result<Vec<Row>> {
    Ok(checks::judge(&probe::look(site)?))
}
