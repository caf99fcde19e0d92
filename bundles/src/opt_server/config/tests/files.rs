//! Which files are read, and read again.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command as Process;

use super::super::{Config, ConfigError, MAX_SIZE};
use super::{data, parse};

#[test]
fn files_are_loaded() {
    let path = data().join("full.json");
    let config = Config::load(&path).unwrap();
    assert_eq!((config.path, config.commands.len()), (path, 3));
}

#[test]
fn a_file_that_nobody_named_must_be_safe_from_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    fs::write(&path, "{}").unwrap();
    let owner = fs::metadata(&path).unwrap().uid();
    for (directory, file, says) in [
        (0o755, 0o644, ""),
        (0o1777, 0o600, ""),
        (0o755, 0o664, "may be written by others (mode 0664)"),
        (0o755, 0o1646, "may be written by others (mode 1646)"),
        (0o757, 0o644, "may be written by others (mode 0757)"),
    ] {
        fs::set_permissions(folder.path(), Permissions::from_mode(directory)).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(file)).unwrap();
        match Config::load_unnamed(&path, owner) {
            Ok(_) => assert_eq!(says, ""),
            Err(error) => assert!(
                !says.is_empty() && error.to_string().contains(says),
                "{error}"
            ),
        }
    }
    let link = folder.path().join("link.json");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let error = Config::load_unnamed(&link, owner).unwrap_err().to_string();
    assert!(error.contains("symbolic link"), "{error}");
}

#[test]
fn large_files_are_refused_without_reading_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    // Who reads it is at it for hours.
    let size = 4_u64 << 40;
    File::create(&path).unwrap().set_len(size).unwrap();
    let error = Config::load(&path).unwrap_err();
    let message = format!(
        "{}: {size} bytes, over the limit of 1048576",
        path.display()
    );
    assert_eq!(error.to_string(), message);

    let mut text = b"{}".to_vec();
    text.resize(MAX_SIZE as usize, b' ');
    fs::write(&path, &text).unwrap();
    assert!(Config::load(&path).is_ok(), "exactly the limit");
    File::options()
        .append(true)
        .open(&path)
        .unwrap()
        .write_all(b" ")
        .unwrap();
    assert!(matches!(
        Config::load(&path),
        Err(ConfigError::TooLarge {
            size: 1_048_577,
            ..
        })
    ));
    text.push(b' ');
    assert!(matches!(
        parse(&text),
        Err(ConfigError::TooLarge {
            size: 1_048_577,
            ..
        })
    ));
}

#[test]
fn what_is_not_a_regular_file_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(
        Process::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let socket = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for (path, kind) in [
        (&*fifo, "fifo"),
        (&*socket, "socket"),
        (folder.path(), "directory"),
        (Path::new("/dev/null"), "device"),
    ] {
        let message = format!(
            "cannot read {}: it is a {kind}, not a regular file",
            path.display()
        );
        assert_eq!(Config::load(path).unwrap_err().to_string(), message);
    }
    let missing = folder.path().join("missing.json");
    let message = format!(
        "cannot read {}: No such file or directory (os error 2)",
        missing.display()
    );
    assert_eq!(Config::load(&missing).unwrap_err().to_string(), message);
    std::os::unix::fs::symlink(data().join("full.json"), &missing).unwrap();
    assert!(Config::load(&missing).is_ok(), "a link to a file is a file");
}

#[test]
fn a_bad_new_file_is_an_error_and_the_old_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    fs::write(&path, r#"{"server-name": "one"}"#).unwrap();
    let owner = fs::metadata(&path).unwrap().uid();
    let old = Config::load_unnamed(&path, owner).unwrap();
    fs::write(&path, "{\"server-name\":\n 2}").unwrap();
    let error = old.reload().unwrap_err().to_string();
    assert!(
        error.ends_with("config.json:2: \"server-name\" must be a string, not a number"),
        "{error}"
    );
    assert_eq!(old.server_name.as_deref(), Some("one"));
    fs::write(&path, r#"{"server-name": "two"}"#).unwrap();
    assert_eq!(old.reload().unwrap().server_name.as_deref(), Some("two"));
    // As it was read at first: nobody named it, so others must not be able to write it.
    fs::set_permissions(&path, Permissions::from_mode(0o664)).unwrap();
    assert!(
        old.reload()
            .unwrap_err()
            .to_string()
            .contains("may be written by others")
    );
    fs::remove_file(&path).unwrap();
    assert!(matches!(old.reload(), Err(ConfigError::Read { .. })));
}
