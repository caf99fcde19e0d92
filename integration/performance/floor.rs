//! The least that a container costs: one process with a bundle's namespaces, mounts and cgroups that executes the
//! bundle's program. No checks, no state, no protection: a bound to measure runtimes against, and good for nothing else.
//!
//!   floor BUNDLE [CGROUP]
//!
//! What it doesn't know of a config.json it leaves out; `hack/bench` makes bundles that it knows all of.

mod calls;
mod mounts;

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let Some(bundle) = words.next().map(PathBuf::from) else {
        eprintln!("floor BUNDLE [CGROUP]");
        return ExitCode::from(125);
    };
    match run(&bundle, words.next().as_deref()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("floor: {error}");
            ExitCode::from(125)
        }
    }
}

fn run(bundle: &Path, cgroup: Option<&str>) -> std::io::Result<u8> {
    let spec: Value = serde_json::from_slice(&fs::read(bundle.join("config.json"))?)?;
    let cgroups = cgroup.map(make_cgroups).transpose()?.unwrap_or_default();
    let (mut reader, mut writer) = std::io::pipe()?;
    let child = calls::clone3(namespaces(&spec))?;
    if child == 0 {
        drop(writer);
        // Its cgroups are joined once the other end is closed.
        let _ = reader.read(&mut [0])?;
        let error = become_program(bundle, &spec);
        eprintln!("floor: {error}");
        std::process::exit(125);
    }
    for directory in &cgroups {
        fs::write(directory.join("cgroup.procs"), child.to_string())?;
    }
    writer.write_all(b"x")?;
    let code = calls::wait(child)?;
    for directory in &cgroups {
        fs::remove_dir(directory)?;
    }
    Ok(code)
}

/// Never returns but with an error.
fn become_program(bundle: &Path, spec: &Value) -> std::io::Error {
    if let Err(error) = mounts::set_up(bundle, spec) {
        return error;
    }
    let strings = |list: &Value| -> Vec<String> {
        let words = list.as_array().into_iter().flatten();
        words
            .filter_map(|word| word.as_str().map(str::to_owned))
            .collect()
    };
    calls::execute(
        &strings(&spec["process"]["args"]),
        &strings(&spec["process"]["env"]),
    )
}

fn namespaces(spec: &Value) -> libc::c_int {
    let kinds = spec["linux"]["namespaces"].as_array().into_iter().flatten();
    kinds.fold(0, |flags, entry| {
        flags
            | match entry["type"].as_str() {
                Some("pid") => libc::CLONE_NEWPID,
                Some("network") => libc::CLONE_NEWNET,
                Some("ipc") => libc::CLONE_NEWIPC,
                Some("uts") => libc::CLONE_NEWUTS,
                Some("mount") => libc::CLONE_NEWNS,
                Some("cgroup") => libc::CLONE_NEWCGROUP,
                _ => 0,
            }
    })
}

/// A cgroup of this name in each hierarchy, as runtimes make them.
fn make_cgroups(name: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut made = Vec::new();
    for line in fs::read_to_string("/proc/self/mounts")?.lines() {
        let mut words = line.split(' ');
        let (place, kind) = (words.nth(1), words.next());
        let (Some(place), Some("cgroup" | "cgroup2")) = (place, kind) else {
            continue;
        };
        let directory = Path::new(place).join(name);
        fs::create_dir(&directory)?;
        copy_cpuset(&directory)?;
        made.push(directory);
    }
    Ok(made)
}

/// A cpuset of version 1 takes no process before it has processors and memory.
fn copy_cpuset(directory: &Path) -> std::io::Result<()> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let Some(above) = directory.parent().map(|above| above.join(file)) else {
            continue;
        };
        if above.exists() {
            fs::write(directory.join(file), fs::read(above)?)?;
        }
    }
    Ok(())
}
