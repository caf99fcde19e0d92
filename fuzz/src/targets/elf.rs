//! An executable: what it needs is found by reading it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bundles::elf::{Limits, Resolver};

use crate::Run;
use crate::properties::told;

pub(super) fn make(scratch: &Path) -> Run {
    let program = scratch.join("program");
    fs::write(&program, "").expect("write the program");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("make it executable");
    let mut resolver = Resolver::host().expect("this host's loader");
    // Smaller than in use: the time of one input is looked at, too.
    resolver.limits = Limits {
        files: 256,
        needed: 128,
        depth: 32,
        probes: 5000,
    };
    Box::new(move |bytes| {
        fs::write(&program, bytes).expect("write the program");
        match resolver.resolve(&program) {
            Err(error) => told(&error),
            Ok(found) => {
                assert!(found.files.len() <= resolver.limits.files);
                assert!(found.files.iter().any(|file| file.path == program));
                for file in &found.files {
                    assert!(file.path.is_absolute(), "{}", file.path.display());
                }
            }
        }
    })
}
