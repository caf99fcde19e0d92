//! From a command line to a spec, on made-up hosts below a temporary directory.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::config::{Config, Limits};
use super::mounts::{self, Readables};
use super::*;
use crate::bundle::Follower;
use crate::elf::{Dependency, Resolution, Role};

/// A directory outside of `/tmp`, which inside is a file system of its own.
fn host() -> tempfile::TempDir {
    tempfile::Builder::new()
        .prefix("opt-bundles-test-")
        .tempdir_in("/var/tmp")
        .unwrap()
}

fn config(command: &str) -> Config {
    let text = format!(r#"{{"commands":[{{"name":"solver",{command}}}]}}"#);
    Config::parse(text.as_bytes(), Path::new("config.json")).unwrap()
}

fn request<'a>(config: &'a Config, arguments: &'a [String], project: &Path) -> Request<'a> {
    Request {
        config,
        command: &config.commands[0],
        arguments,
        project: project.to_path_buf(),
        identity: Identity::own(7, 1000, 1001),
        limits: Limits::default(),
    }
}

fn dependency(path: &Path, role: Role) -> Dependency {
    Dependency {
        path: path.to_path_buf(),
        canonical: path.canonicalize().unwrap(),
        role,
        reason: format!("because of {role:?}"),
    }
}

/// `lib -> usr/lib`, a library behind two links, the second into another directory, and a neighbour.
fn merged_usr(base: &Path) -> Resolution {
    fs::create_dir_all(base.join("usr/lib/blas")).unwrap();
    fs::create_dir_all(base.join("usr/bin")).unwrap();
    fs::create_dir_all(base.join("etc/alternatives")).unwrap();
    for file in [
        "usr/bin/solver",
        "usr/lib/blas/libblas.so.3.1",
        "usr/lib/neighbour",
    ] {
        fs::write(base.join(file), "").unwrap();
    }
    symlink("usr/lib", base.join("lib")).unwrap();
    symlink(
        base.join("etc/alternatives/blas"),
        base.join("usr/lib/libblas.so.3"),
    )
    .unwrap();
    symlink(
        base.join("usr/lib/blas/libblas.so.3.1"),
        base.join("etc/alternatives/blas"),
    )
    .unwrap();
    Resolution {
        files: vec![
            dependency(&base.join("usr/bin/solver"), Role::Executable),
            dependency(&base.join("lib/libblas.so.3"), Role::Library),
        ],
        loader_config: None,
        notes: vec![],
    }
}

fn planned(command: &str, base: &Path) -> Result<Readables, SandboxError> {
    let resolution = merged_usr(base);
    let config = config(&command.replace("@", &base.display().to_string()));
    let request = request(&config, &[], base);
    mounts::plan(&request, &resolution, Follower::default())
}

fn below(base: &Path, paths: &[&str]) -> Vec<PathBuf> {
    paths.iter().map(|path| base.join(path)).collect()
}

#[test]
fn directories_mode_mounts_both_ends_of_a_librarys_links() {
    let host = host();
    let base = host.path();
    let plan = planned(r#""executable":"@/usr/bin/solver""#, base).unwrap();
    let mounted: Vec<PathBuf> = plan.mounts.keys().cloned().collect();
    assert_eq!(mounted, below(base, &["usr/bin/solver", "usr/lib"]));
    let links: Vec<PathBuf> = plan.links.iter().map(|(link, _)| link.clone()).collect();
    assert_eq!(links, below(base, &["etc/alternatives/blas", "lib"]));
}

#[test]
fn files_mode_mounts_the_file_and_recreates_every_link() {
    let host = host();
    let base = host.path();
    let command = r#""executable":"@/usr/bin/solver","mount-dependencies":"FILES""#;
    let plan = planned(command, base).unwrap();
    let mounted: Vec<PathBuf> = plan.mounts.keys().cloned().collect();
    assert_eq!(
        mounted,
        below(base, &["usr/bin/solver", "usr/lib/blas/libblas.so.3.1"])
    );
    let links: Vec<PathBuf> = plan.links.iter().map(|(link, _)| link.clone()).collect();
    assert_eq!(
        links,
        below(
            base,
            &["etc/alternatives/blas", "lib", "usr/lib/libblas.so.3"]
        )
    );
}

#[test]
fn what_a_mounted_directory_shows_is_not_mounted_again() {
    let host = host();
    let base = host.path();
    let command = r#""executable":"@/usr/bin/solver","mount-readable":["@/usr","@/usr/lib/blas"]"#;
    let plan = planned(command, base).unwrap();
    let mounted: Vec<PathBuf> = plan.mounts.keys().cloned().collect();
    assert_eq!(mounted, below(base, &["usr"]));
}

#[test]
fn the_sandboxs_own_directories_cannot_be_mounted() {
    let host = host();
    let base = host.path();
    for path in ["/", "/proc", "/proc/sys", "/dev", "/dev/null", "/tmp"] {
        let command = format!(r#""executable":"@/usr/bin/solver","mount-readable":["{path}"]"#);
        let scratch = tempfile::tempdir_in(base).unwrap();
        let error = planned(&command, scratch.path()).unwrap_err().to_string();
        assert!(
            error.contains("mount-readable") && error.contains(path),
            "{error}"
        );
        assert!(
            error.starts_with("config.json:1: command \"solver\""),
            "{error}"
        );
    }
}

#[test]
fn a_missing_mount_names_command_key_and_path() {
    let host = host();
    let command = r#""executable":"@/usr/bin/solver","mount-readable":["@/nowhere"]"#;
    let error = planned(command, host.path()).unwrap_err().to_string();
    assert!(
        error.contains("\"mount-readable\"") && error.contains("/nowhere"),
        "{error}"
    );
}

#[test]
fn appended_options_come_last_and_cannot_be_hidden() {
    let config = config(r#""executable":"/bin/gams","append-options":"execMode=4 lo=2""#);
    let line = |arguments: &[&str]| {
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        request(&config, &arguments, Path::new("/")).command_line()
    };
    assert_eq!(
        line(&["m.gms", "execMode=0", "--", "lo=4"]).unwrap(),
        [
            "/bin/gams",
            "m.gms",
            "execMode=0",
            "--",
            "lo=4",
            "execMode=4",
            "lo=2"
        ]
    );
    for hiding in [&["m.gms", ""][..], &[" "], &["\t"], &["a\0b"]] {
        assert!(line(hiding).is_err(), "{hiding:?}");
    }
}

#[test]
fn an_empty_argument_is_an_argument_where_nothing_is_appended() {
    let config = config(r#""executable":"/bin/echo""#);
    let arguments = [String::new()];
    let line = request(&config, &arguments, Path::new("/")).command_line();
    assert_eq!(line.unwrap(), ["/bin/echo", ""]);
}

#[test]
fn configured_variables_replace_ours() {
    let host = host();
    let base = host.path();
    merged_usr(base);
    let command = r#""executable":"/bin/true","environment-variables":{"HOME":"/project","B":"1"}"#;
    let config = config(command);
    let sandbox = Sandbox {
        request: request(&config, &[], base),
        command_line: vec!["/bin/true".to_owned()],
        project: Some(base.to_path_buf()),
        readables: Readables::default(),
        writables: Default::default(),
        devices: vec![],
        own_config: None,
    };
    let spec = sandbox.spec();
    let env = spec.process().as_ref().unwrap().env().clone().unwrap();
    assert!(env.contains(&"HOME=/project".to_owned()) && env.contains(&"B=1".to_owned()));
    assert_eq!(
        env.iter()
            .filter(|entry| entry.starts_with("HOME="))
            .count(),
        1
    );
}

#[test]
fn a_project_must_be_a_directory_and_not_the_hosts_root() {
    let resolver = crate::elf::Resolver::host().unwrap();
    let config = config(r#""executable":"/bin/true""#);
    for project in ["/", "/etc/passwd", "/nowhere"] {
        let request = request(&config, &[], Path::new(project));
        let error = Sandbox::plan(request, &resolver).unwrap_err().to_string();
        assert!(error.contains(project), "{error}");
    }
}

#[test]
fn a_configuration_in_the_project_is_read_only_or_refused() {
    let host = host();
    let base = host.path().canonicalize().unwrap();
    fs::create_dir_all(base.join("project/sub")).unwrap();
    fs::create_dir(base.join("elsewhere")).unwrap();
    let text = r#"{"commands":[{"name":"true","executable":"/bin/true"}]}"#;
    for file in [
        "project/config.json",
        "project/sub/config.json",
        "elsewhere/config.json",
    ] {
        fs::write(base.join(file), text).unwrap();
    }
    symlink("../elsewhere/config.json", base.join("project/link.json")).unwrap();
    symlink("../elsewhere", base.join("project/directory")).unwrap();
    let resolver = crate::elf::Resolver::host().unwrap();
    let plan = |file: &str| {
        let config = Config::load(&base.join(file)).unwrap();
        let request = request(&config, &[], &base.join("project"));
        let sandbox = Sandbox::plan(request, &resolver).map_err(|error| error.to_string())?;
        let mounts = sandbox.spec().mounts().clone().unwrap();
        Ok::<bool, String>(mounts.iter().any(|mount| {
            mount.destination() == Path::new("/project/config.json")
                && mount.options().as_ref().unwrap().contains(&"ro".to_owned())
        }))
    };
    assert_eq!(plan("elsewhere/config.json"), Ok(false));
    assert_eq!(plan("project/config.json"), Ok(true));
    for replaceable in ["sub/config.json", "link.json", "directory/config.json"] {
        let error = plan(&format!("project/{replaceable}")).unwrap_err();
        assert!(error.contains("could replace"), "{error}");
    }
}

#[test]
fn a_link_to_the_project_must_be_its_owners() {
    use std::os::unix::fs::lchown;

    let host = host();
    let base = host.path().canonicalize().unwrap();
    fs::create_dir(base.join("project")).unwrap();
    symlink("project", base.join("link")).unwrap();
    let resolver = crate::elf::Resolver::host().unwrap();
    let text = r#"{"commands":[{"name":"true","executable":"/bin/true"}]}"#;
    fs::write(base.join("config.json"), text).unwrap();
    let config = Config::load(&base.join("config.json")).unwrap();
    let plan = || Sandbox::plan(request(&config, &[], &base.join("link")), &resolver);
    assert!(plan().is_ok());
    // Only root can give files away; there is nothing to see for others.
    if lchown(base.join("link"), Some(65533), None).is_ok() {
        let error = plan().unwrap_err().to_string();
        assert!(error.contains("link of uid 65533's"), "{error}");
        lchown(base.join("project"), Some(65533), None).unwrap();
        assert!(plan().is_ok());
    }
}
