//! Exposure on made-up directories.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use super::*;

fn place(base: &Path, name: &str, mode: u32, content: &str) {
    let path = base.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
}

fn measure(path: &Path) -> Exposure {
    Exposure::measure(path, &mut Bounds::default())
}

#[test]
fn everything_below_is_counted_and_what_matters_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path();
    for (name, mode, content) in [
        ("plain", 0o644, "12345"),
        ("bin/su", 0o4755, ""),
        ("bin/wall", 0o2755, ""),
        ("bin/not-a-program", 0o4644, ""),
        ("open", 0o666, ""),
        ("home/.ssh/id_rsa", 0o600, "x"),
        ("home/.netrc", 0o644, "x"),
    ] {
        place(base, name, mode, content);
    }
    symlink("/etc/shadow", base.join("link")).unwrap();
    fs::create_dir(base.join("drop")).unwrap();
    fs::set_permissions(base.join("drop"), Permissions::from_mode(0o777)).unwrap();
    fs::create_dir(base.join("tmp")).unwrap();
    fs::set_permissions(base.join("tmp"), Permissions::from_mode(0o1777)).unwrap();
    let _listener = UnixListener::bind(base.join("docker.sock")).unwrap();

    let found = measure(base);
    assert_eq!((found.files, found.bytes), (7, 7));
    let below = |paths: &[&str]| paths.iter().map(|path| base.join(path)).collect::<Vec<_>>();
    assert_eq!(found.setuid.first, below(&["bin/su", "bin/wall"]));
    assert_eq!(found.world_writable.first, below(&["drop", "open"]));
    assert_eq!(found.sockets.first, below(&["docker.sock"]));
    let secrets: Vec<(&Path, bool)> = found
        .secrets
        .iter()
        .map(|secret| (secret.path.strip_prefix(base).unwrap(), secret.is_readable))
        .collect();
    assert_eq!(
        secrets,
        [
            (Path::new("home/.netrc"), true),
            (Path::new("home/.ssh/id_rsa"), false)
        ]
    );
    assert_eq!(found.cut, None);
    let text = found.to_string();
    assert!(
        text.starts_with("7 files, 7 bytes; 2 setuid or setgid (dead inside): "),
        "{text}"
    );
    assert!(
        text.contains("id_rsa (an SSH private key, kept from it by its mode)"),
        "{text}"
    );
}

#[test]
fn looking_ends_somewhere_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..20 {
        place(folder.path(), &number.to_string(), 0o644, "");
    }
    let mut bounds = Bounds {
        entries: 7,
        ..Bounds::default()
    };
    let found = Exposure::measure(folder.path(), &mut bounds);
    assert_eq!(
        (found.files, found.cut),
        (7, Some("there is more than was counted"))
    );
    let again = Exposure::measure(folder.path(), &mut bounds);
    assert_eq!(again.files, 0, "the bounds are for all paths together");
    let mut late = Bounds {
        entries: 257,
        until: Instant::now(),
    };
    assert_eq!(
        Exposure::measure(folder.path(), &mut late).cut,
        Some("counting took too long")
    );
    let nowhere = measure(&folder.path().join("nowhere"));
    assert_eq!(nowhere.cut, Some("it can't be looked at"));
}

#[test]
fn secrets_are_known_by_name_or_content_and_libraries_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let key = "-----BEGIN RSA PRIVATE KEY-----\nMII\n";
    let certificate = "-----BEGIN CERTIFICATE-----\nMII\n";
    for (name, content, is_secret) in [
        ("server.pem", key, true),
        ("server.key", key, true),
        ("ca.pem", certificate, false),
        ("layout.key", "a: b", false),
        ("shadow", "root:x", true),
        ("ssh_host_ed25519_key", key, true),
        ("ssh_host_ed25519_key.pub", "ssh-ed25519 A", false),
        (".docker/config.json", "{}", true),
        ("config.json", "{}", false),
        ("db_password.txt", "x", true),
        ("token", "x", true),
        ("api-token.json", "x", true),
        ("passwd", "root:x:0:0", false),
        ("passwd-", "root:x:0:0", false),
        ("secrets.py", "import os", false),
        ("token.h", "#define", false),
        (
            "include/c++/12/stop_token",
            "// <stop_token> -*- C++ -*-",
            false,
        ),
        ("include/token.json", "{}", true),
        ("include/id_rsa", "x", true),
        ("tokenizer.json", "{}", false),
        ("libsecret-1.so.0", "ELF", false),
        ("keys.P12", "x", true),
    ] {
        place(folder.path(), name, 0o644, content);
        let path = folder.path().join(name);
        let found = looks_like_secret(&path, &path.metadata().unwrap());
        assert_eq!(found.is_some(), is_secret, "{name}: {found:?}");
    }
    place(folder.path(), "chpasswd", 0o755, "ELF");
    let program = folder.path().join("chpasswd");
    assert_eq!(
        looks_like_secret(&program, &program.metadata().unwrap()),
        None
    );
    for name in [
        "DB_PASSWORD",
        "GITHUB_TOKEN",
        "WLSSECRET",
        "AWS_SECRET_ACCESS_KEY",
        "API_KEY",
        "--password",
    ] {
        assert!(names_a_secret(name), "{name}");
    }
    for name in [
        "PATH",
        "GUROBI_HOME",
        "LC_ALL",
        "KEYBOARD",
        "TOKENIZERS_PARALLELISM",
        "execMode",
    ] {
        assert!(!names_a_secret(name), "{name}");
    }
}

#[test]
fn sizes_are_for_people() {
    for (bytes, text) in [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1536, "1.5 KiB"),
        (5 << 30, "5.0 GiB"),
    ] {
        assert_eq!(size(bytes), text);
    }
}
