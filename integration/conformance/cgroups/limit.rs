//! A limit in the bundle, and the files in which the kernel holds it.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use integration::cgroup;
use serde_json::Value;

use crate::harness::{Case, ensure, ensure_eq};

/// A file of a controller and what it says, or a line that is in it.
pub type File = (&'static str, &'static str, &'static str);

/// What becomes of a limit in one version of cgroups.
#[derive(Debug, Clone, Copy)]
pub enum Told {
    /// The kernel holds it in these files.
    Held(&'static [File]),
    /// It is refused by this key below `linux.resources`, or with this text.
    Refused(&'static str),
}

pub use Told::{Held, Refused};

const VARIES: &str =
    "peers refuse, warn or ignore, by version and layout; the specification wants an error";

/// A case of `resources` as a bundle's `linux.resources`. Where this kernel lacks a file that would hold the
/// limit, it must be refused by its `key`.
pub fn limit(name: &'static str, key: &'static str, resources: Value, v1: Told, v2: Told) -> Case {
    let told = if cgroup::is_v2() { v2 } else { v1 };
    let files = match told {
        Refused(text) => return refused(name, text, resources),
        Held(files) => files,
    };
    if let Some((_, file, _)) = files
        .iter()
        .find(|(controller, file, _)| !kernel_has(controller, file))
    {
        cgroup::skip(&format!(
            "{name}: this kernel has no {file}, so it must be refused"
        ));
        return refused(name, key, resources);
    }
    Case::steps(name, move |stage| {
        stage.edit(|spec| spec["linux"]["resources"] = resources.clone());
        stage.create()?;
        let pid = stage.pid()?;
        for (controller, file, text) in files {
            let held = cgroup::read(pid, controller, file).unwrap_or_default();
            ensure!(
                held == *text || held.lines().any(|line| line == *text),
                "{file} says {held:?}, not {text:?}"
            );
        }
        ensure_eq!(stage.status()?, "created", "the status");
        Ok(())
    })
}

/// A case of `resources` that must be refused with `text`.
pub fn refused(name: &'static str, text: &'static str, resources: Value) -> Case {
    Case::new(name)
        .spec(move |spec| spec["linux"]["resources"] = resources.clone())
        .refused(text)
        .without_controls(VARIES)
}

/// Whether a cgroup below the root has `file` on this kernel.
pub fn kernel_has(controller: &str, file: &str) -> bool {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let Some(mount_point) = cgroup::mount_point(controller).or_else(|| cgroup::mount_point(""))
    else {
        return false;
    };
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("conformance-look-{}-{number}", std::process::id());
    let directory = mount_point.join(name);
    fs::create_dir(&directory).expect("make a cgroup");
    // In a hybrid layout version 2 has only what the root gives to nobody until it is asked.
    let enabled = fs::read_to_string(mount_point.join("cgroup.controllers")).unwrap_or_default();
    let is_hybrid_file = cgroup::layout() == cgroup::Layout::Hybrid
        && enabled.split_whitespace().any(|name| name == controller);
    let has = is_hybrid_file || directory.join(file).exists();
    fs::remove_dir(&directory).expect("remove a cgroup");
    has
}
