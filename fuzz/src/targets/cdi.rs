//! A site's specification of devices: in JSON what begins as an object, anything else in YAML.

use std::fs;
use std::path::Path;

use bundles::shifter::cdi::{CdiError, Devices};

use crate::Run;
use crate::properties::told;

pub(super) fn make(scratch: &Path) -> Run {
    let directory = scratch.join("cdi");
    fs::create_dir(&directory).expect("make a directory");
    let owners = [0, rustix::process::geteuid().as_raw()];
    Box::new(move |text| {
        let name = match text.trim_ascii_start().first() {
            Some(b'{') => "vendor.json",
            _ => "vendor.yaml",
        };
        let file = directory.join(name);
        fs::write(&file, text).expect("write the specification");
        let directories = [directory.clone()];
        for name in [
            "vendor.com/class=0",
            "vendor.com/class=all",
            "nvidia.com/gpu=0",
        ] {
            match Devices::find(&[name.to_owned()], &directories, &owners) {
                Err(error) => {
                    told(&error);
                    if let CdiError::Invalid { path, .. } = &error {
                        assert_eq!(*path, file, "another file's fault");
                    }
                }
                Ok(found) => is_harmless(&found),
            }
        }
        fs::remove_file(&file).expect("take it away");
    })
}

fn is_harmless(found: &Devices) {
    for node in &found.nodes {
        assert!(node.path.starts_with("/dev/"), "{node:?}");
    }
    for mount in &found.mounts {
        assert!(
            mount.from.is_absolute() && mount.to.is_absolute(),
            "{mount:?}"
        );
    }
    for (name, value) in &found.environment {
        assert!(!name.is_empty() && !name.contains('='), "{name:?}");
        assert!(!name.contains('\0') && !value.contains('\0'), "{name:?}");
    }
}
