//! Little programs and libraries, built when a test runs.
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{ElfError, Resolution, Resolver, Role};

/// A directory in which to build.
pub(super) struct Lab {
    directory: tempfile::TempDir,
}

impl Lab {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("empty.c"), "").unwrap();
        fs::write(directory.path().join("start.c"), "void _start(void) {}\n").unwrap();
        Self { directory }
    }

    /// A path in the laboratory, whose parent is made.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        let root = self.directory.path().canonicalize().unwrap();
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    /// A library whose soname is its file name.
    pub(super) fn library(&self, name: &str, flags: &[&str]) -> PathBuf {
        let soname = Path::new(name).file_name().unwrap().to_str().unwrap();
        let soname = format!("-Wl,-soname,{soname}");
        self.gcc(name, "empty.c", &[&["-shared", &soname], flags].concat())
    }

    /// A dynamic program without libc.
    pub(super) fn program(&self, name: &str, flags: &[&str]) -> PathBuf {
        self.gcc(name, "start.c", &[&["-pie"], flags].concat())
    }

    pub(super) fn gcc(&self, name: &str, source: &str, flags: &[&str]) -> PathBuf {
        let path = self.path(name);
        let root = path
            .ancestors()
            .find(|path| path.join("empty.c").exists())
            .unwrap();
        let output = Command::new("gcc")
            .current_dir(root)
            .args(["-nostdlib", "-fPIC", "-Wl,--no-as-needed"])
            .args(["-Wl,--unresolved-symbols=ignore-all", "-o"])
            .arg(&path)
            .arg(source)
            .args(flags)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "gcc {name}: {errors}");
        path
    }

    /// A file with these contents and mode.
    pub(super) fn file(&self, name: &str, contents: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, contents).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    pub(super) fn resolver(&self) -> Resolver {
        Resolver::host().unwrap()
    }

    /// Resolves a program and returns its libraries relative to the laboratory. Where the host's own loader has
    /// looked too, it must have found the same.
    pub(super) fn libraries(&self, program: &Path) -> Result<Vec<String>, ElfError> {
        let resolution = self.resolver().resolve(program)?;
        let ours: BTreeSet<PathBuf> = libraries(&resolution).collect();
        assert_eq!(ours, loader_says(&resolution), "{resolution:#?}");
        Ok(self.names(&resolution))
    }

    /// The libraries, relative to the laboratory.
    pub(super) fn names(&self, resolution: &Resolution) -> Vec<String> {
        let root = self.path("");
        libraries(resolution)
            .map(|path| {
                path.strip_prefix(&root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    }
}

fn libraries(resolution: &Resolution) -> impl Iterator<Item = PathBuf> + '_ {
    let libraries = resolution
        .files
        .iter()
        .filter(|file| file.role == Role::Library);
    libraries.map(|file| file.path.clone())
}

/// What the loader lists for a program of ours: it is asked and the program is not run.
fn loader_says(resolution: &Resolution) -> BTreeSet<PathBuf> {
    let interpreter = |file: &&super::Dependency| file.role == Role::Interpreter;
    let loader = resolution.files.iter().find(interpreter).unwrap();
    let program = &resolution.files[0].canonical;
    let output = Command::new(&loader.path)
        .arg("--list")
        .arg(program)
        .env_clear()
        .output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let paths = text.lines().filter_map(|line| {
        let line = line.trim().rsplit_once(" (0x")?.0;
        let path = line.split_once(" => ").map_or(line, |(_, path)| path);
        path.starts_with('/').then(|| PathBuf::from(path))
    });
    paths.filter(|path| *path != loader.path).collect()
}
