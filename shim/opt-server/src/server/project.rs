//! An execution's project directory: made from fixed files and uploads, and read again when the command
//! has ended. What a command left there is opened from the project's descriptor down, never through a link.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{
    DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, lchown,
};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};

use super::execution::Place;
use super::functions::{Function, Output, ProjectPath};

/// Makes the directories of a new execution.
///
/// # Errors
/// Where the disk is full; nothing is left then.
pub fn make(place: &Place) -> io::Result<()> {
    fs::DirBuilder::new()
        .mode(0o700)
        .create(place.directory())?;
    let make = || {
        fs::DirBuilder::new().mode(0o755).create(place.project())?;
        // The umask may have taken something away.
        fs::set_permissions(place.project(), fs::Permissions::from_mode(0o755))
    };
    make().inspect_err(|_| {
        let _ = fs::remove_dir_all(place.directory());
    })
}

/// Copies a function's fixed files into a project that no command has been in yet.
///
/// # Errors
/// The file that can't be copied.
pub fn place_fixed(place: &Place, function: &Function, definitions: &Path) -> io::Result<()> {
    for (path, source) in &function.files {
        let source = definitions.join(source);
        let told = |error: io::Error| {
            io::Error::new(error.kind(), format!("copy {}: {error}", source.display()))
        };
        let mut from = File::open(&source).map_err(told)?;
        if !from.metadata().map_err(told)?.is_file() {
            return Err(told(io::Error::other("not a regular file")));
        }
        let mut to = create(place, path).map_err(told)?;
        io::copy(&mut from, &mut to).map_err(told)?;
    }
    Ok(())
}

/// Puts an `upload` that is whole where the project has it, in the place of an earlier one.
///
/// # Errors
/// Those of rename(2).
pub fn place_upload(place: &Place, upload: &Path, path: &ProjectPath) -> io::Result<()> {
    let to = place.project().join(path.as_path());
    make_parents(&to)?;
    fs::rename(upload, to)
}

fn create(place: &Place, path: &ProjectPath) -> io::Result<File> {
    let path = place.project().join(path.as_path());
    make_parents(&path)?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(path)
}

fn make_parents(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

/// Gives everything in a project that no command has been in yet to `id`.
///
/// # Errors
/// Those of lchown(2).
pub fn give_to(place: &Place, id: u32) -> io::Result<()> {
    fn give(directory: &Path, id: u32) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            lchown(&path, Some(id), Some(id))?;
            if path.symlink_metadata()?.is_dir() {
                give(&path, id)?;
            }
        }
        Ok(())
    }
    let project = place.project();
    chown(&project, Some(id), Some(id))?;
    give(&project, id)
}

/// A descriptor of the project.
///
/// # Errors
/// Those of openat(2).
pub fn open(place: &Place) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(CWD, place.project(), flags, Mode::empty())?)
}

/// Opens a regular file below `directory` for reading, without following any link and without waiting for a
/// fifo's writer.
///
/// # Errors
/// Those of openat2(2); where it isn't a regular file.
pub fn open_file(directory: impl AsFd, path: &Path) -> io::Result<File> {
    let file = File::from(openat2(
        directory,
        path,
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    )?);
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("not a regular file"))
    }
}

/// Opens an execution's output.
///
/// # Errors
/// As [`open_file`].
pub fn open_output(place: &Place, path: &ProjectPath) -> io::Result<(File, u64)> {
    let file = open_file(open(place)?, path.as_path())?;
    let length = file.metadata()?.size();
    Ok((file, length))
}

/// Those of a function's outputs that an execution made.
pub fn made(place: &Place, outputs: &[Output]) -> Vec<Output> {
    let is_made = |output: &&Output| open_output(place, &output.path).is_ok();
    outputs.iter().filter(is_made).cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::server::functions::Name;

    fn output(path: &'static str) -> Output {
        Output {
            id: Name::known("o"),
            path: ProjectPath::try_from(path.to_owned()).unwrap(),
        }
    }

    #[test]
    fn an_output_is_a_file_of_the_project_and_nothing_that_leads_elsewhere() {
        let directory = tempfile::tempdir().unwrap();
        let secret = directory.path().join("secret");
        fs::write(&secret, "secret").unwrap();
        let place = Place::of(directory.path(), "e");
        make(&place).unwrap();
        let project = place.project();
        fs::create_dir(project.join("out")).unwrap();
        fs::write(project.join("out/plan.txt"), "plan").unwrap();
        symlink(&secret, project.join("link")).unwrap();
        symlink("..", project.join("up")).unwrap();
        symlink("out/plan.txt", project.join("inner")).unwrap();
        nix::unistd::mkfifo(&project.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let candidates: Vec<Output> = [
            "out/plan.txt",
            "link",
            "up/secret",
            "inner",
            "fifo",
            "out",
            "absent",
        ]
        .map(output)
        .into();
        assert_eq!(made(&place, &candidates), [output("out/plan.txt")]);
    }

    #[test]
    fn uploads_replace_uploads_and_fixed_files_are_copies() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("model.mod"), "model").unwrap();
        let place = Place::of(directory.path(), "e");
        make(&place).unwrap();
        let function: Function =
            serde_json::from_str(r#"{"command": "solve", "files": {"models/m.mod": "model.mod"}}"#)
                .unwrap();
        place_fixed(&place, &function, directory.path()).unwrap();
        let fixed = place.project().join("models/m.mod");
        assert_eq!(fs::read_to_string(&fixed).unwrap(), "model");
        let data = ProjectPath::try_from("data/d.dat".to_owned()).unwrap();
        for text in ["one", "two"] {
            fs::write(place.upload(), text).unwrap();
            place_upload(&place, &place.upload(), &data).unwrap();
        }
        assert_eq!(
            fs::read_to_string(place.project().join("data/d.dat")).unwrap(),
            "two"
        );
        assert!(make(&place).is_err());
        assert!(fixed.exists(), "another execution's place is left alone");
    }
}
