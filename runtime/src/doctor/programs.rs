//! Programs that are called, and files that are read.

use std::process::Command;

use super::{Asked, Finding, program};
use crate::policy::Policy;
use crate::telling;

pub(super) fn criu(asked: &Asked) -> Finding {
    const NAME: &str = "criu";
    let shown = asked.criu.display();
    let Some(path) = program(&asked.criu) else {
        let found = format!("no {shown}: no checkpoint, no restore");
        return Finding::limited(NAME, found, "apt-get install criu, or --criu with its path");
    };
    let checked = Command::new(&path).arg("check").output();
    match checked {
        Ok(output) if output.status.success() => {
            Finding::ok(NAME, format!("{}: works on this kernel", path.display()))
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().rfind(|line| !line.trim().is_empty());
            let found = format!(
                "{} check fails: {}",
                path.display(),
                last.unwrap_or("it says nothing").trim()
            );
            Finding::limited(NAME, found, "a criu that is as new as the kernel")
        }
        Err(error) => {
            let found = format!("{}: {error}", path.display());
            Finding::limited(NAME, found, "a criu that can be executed")
        }
    }
}

pub(super) fn policy(asked: &Asked) -> Finding {
    const NAME: &str = "site policy";
    match Policy::load(asked.policy.as_deref()) {
        Ok(policy) => Finding::ok(NAME, policy.to_string()),
        Err(error) => {
            let found = format!("{}: no bundle runs", telling::line(&error));
            Finding::missing(NAME, found, "mend the file, or name another by --policy").essential()
        }
    }
}
