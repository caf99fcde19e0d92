//! Images made of images, as an ordinary user.

mod layout;
mod said;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use integration::{Tool, host, shifter, wait_until};

use crate::store::{HELLO, SOON, Store, give_away};

const USER: &str = "1234";

/// A user's directory, and the program where the user gets to it.
struct Home {
    store: Store,
    directory: PathBuf,
    program: PathBuf,
}

impl Home {
    fn new() -> Self {
        let store = Store::new();
        let directory = store.bench.directory("home");
        give_away(&directory);
        let program = store.bench.path("shifter");
        fs::copy(shifter(), &program).expect("copy the program");
        Self {
            store,
            directory,
            program,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// `shifter image convert SOURCE NAME`, as the user, with programs of this directory before others.
    fn convert_with(&self, programs: &Path, source: &Path, name: &str) -> Tool {
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", programs.display());
        Tool::new("setpriv")
            .args(["--reuid", USER, "--regid", USER, "--clear-groups"])
            .arg(&self.program)
            .args(["image", "convert"])
            .arg(source)
            .arg(name)
            .env("PATH", &path)
            .current_dir(&self.directory)
    }

    fn convert(&self, source: &Path, name: &str) -> Tool {
        self.convert_with(Path::new("/nothing"), source, name)
    }

    /// A directory with a shell script that stands for a program.
    fn instead_of(&self, program: &str, script: &str) -> PathBuf {
        let directory = self.store.bench.directory("programs");
        let path = directory.join(program);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("write");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("chmod");
        directory
    }

    /// Fails unless these names are all that is in the user's directory.
    #[track_caller]
    fn assert_holds(&self, names: &[&str]) {
        assert_eq!(host::names_in(&self.directory), names);
    }
}

/// Gives what is shown of each file of the tree in `$1`.
const SHOW: &str = "cd $1; cat hello; find . | sort | xargs stat -c '%n %A %u %h'; readlink link
    python3 -c 'import os\ntry: print(os.listxattr(\"hello\"))\nexcept OSError: print([])\nprint(os.stat(\"hello\").st_mtime)'";

/// The tree of tests, with what an image mustn't have, and what mustn't be lost.
fn tree(home: &Home) -> PathBuf {
    let tree = home.store.tree();
    fs::hard_link(tree.join("hello"), tree.join("deep/again")).expect("a link");
    // Where the file system has such attributes.
    let mark = "import os, sys; os.setxattr(sys.argv[1], 'user.note', b'x')";
    let python = Tool::new("/usr/bin/python3");
    let _ = python.args(["-c", mark]).arg(tree.join("hello")).run();
    let times = ["-d", "2001-02-03T04:05:06Z"];
    Tool::new("touch")
        .args(times)
        .arg(tree.join("hello"))
        .expect(0);
    let closed = home.store.bench.directory("tree/closed");
    fs::set_permissions(closed, fs::Permissions::from_mode(0o700)).expect("chmod");
    tree
}

const SHOWN: &str = "hello from the image
. drwxr-xr-x 0 4
./closed drwxr-xr-x 0 2
./deep drwxr-xr-x 0 2
./deep/again -rw-r--r-- 0 2
./deep/file -rw-r--r-- 0 1
./hello -rw-r--r-- 0 2
./link lrwxrwxrwx 0 1
./setuid-id -rwxr-xr-x 0 1
hello
[]
981173106.0
";

#[test]
fn what_is_made_has_everything_but_what_gives_power() {
    let home = Home::new();
    let tree = tree(&home);
    let image = home.store.make("source", "squashfs");
    let erofs = home.store.make("other", "erofs");
    // As the user's, so that the user may read all of it.
    Tool::new("chown").args(["-R", USER]).arg(&tree).expect(0);
    let setuid = tree.join("setuid-id");
    fs::set_permissions(&setuid, fs::Permissions::from_mode(0o6755)).expect("chmod");
    for (source, format) in [
        (&image, "erofs"),
        (&erofs, "squashfs"),
        (&tree, "squashfs"),
        (&tree, "erofs"),
        (&erofs, "erofs"),
    ] {
        let name = format!("made.{format}");
        let outcome = home.convert(source, &name).expect(0);
        // Of an image, a user's program doesn't even unpack them.
        if source == &tree {
            let taken = "setuid and setgid bits taken away: 1;";
            assert!(outcome.stderr.contains(taken), "{outcome}");
        }
        fs::copy(home.path(&name), home.store.path("made", format)).expect("copy");
        home.store.describe("made", format);
        let shown = home.store.script("made", SHOW).expect(0);
        // Unpacked from EROFS, a file with two names is two: fsck.erofs 1.5 does no better.
        let single = |text: &str| text.replace("-rw-r--r-- 0 2", "-rw-r--r-- 0 1");
        let is_same = match source == &erofs {
            true => single(&shown.stdout) == single(SHOWN),
            false => shown.stdout == SHOWN,
        };
        assert!(is_same, "{} {shown}", source.display());
        fs::remove_file(home.path(&name)).expect("remove");
        fs::remove_file(home.path("made.meta")).expect("remove");
        home.assert_holds(&[]);
        home.store.assert_nothing_left();
    }
    home.convert(&erofs, "made.").expect(0);
    let made = home.path("made.");
    assert_eq!(fs::read_to_string(made.join("link")).expect("read"), HELLO);
    let mode = fs::metadata(made.join("setuid-id"))
        .expect("a file")
        .permissions();
    assert_eq!(mode.mode() & 0o7777, 0o755);
    assert!(!made.join("null").exists());
}

#[test]
fn the_same_tree_gives_the_same_image() {
    let home = Home::new();
    let image = home.store.make("source", "squashfs");
    for format in ["squashfs", "erofs"] {
        let name = |one| format!("{one}-{format}.{format}");
        for one in ["first", "second"] {
            home.convert(&image, &name(one)).expect(0);
        }
        let read = |one| fs::read(home.path(&name(one))).expect("read");
        assert!(read("first") == read("second"), "{format}");
    }
}

#[test]
fn what_fails_leaves_nothing_and_takes_nothing() {
    let home = Home::new();
    let image = home.store.make("source", "squashfs");
    let refused = |tool: Tool, text: &str| {
        let outcome = tool.expect(125);
        let last = outcome.stderr.lines().last().expect("a line").to_owned();
        assert!(last.contains(text), "no \"{text}\": {outcome}");
    };
    // Cut off behind the superblock, but as long as it says.
    let mut bytes = fs::read(&image).expect("read");
    let length = bytes.len();
    bytes.truncate(200);
    bytes.resize(length, 0);
    let broken = home.store.bench.file("broken", bytes);
    refused(
        home.convert(&broken, "made.erofs"),
        "unsquashfs: ended with exit code 1",
    );
    home.assert_holds(&[]);

    let half = "echo half >$2; echo 'no space, says mksquashfs' >&2; exit 3";
    let programs = home.instead_of("mksquashfs", half);
    let failing = home.convert_with(&programs, &image, "made.squashfs");
    refused(
        failing,
        "mksquashfs: ended with exit code 3: no space, says mksquashfs",
    );
    home.assert_holds(&[]);

    let programs = home.instead_of("mksquashfs", "echo half >$2");
    let lying = home.convert_with(&programs, &image, "made.squashfs");
    refused(lying, "holds no file system that is known here");
    home.assert_holds(&[]);

    fs::write(home.path("made.erofs"), "mine").expect("write");
    refused(home.convert(&image, "made.erofs"), "exists; hint: --force");
    let content = || fs::read(home.path("made.erofs")).expect("read");
    assert_eq!(content(), b"mine");
    home.convert(&image, "made.erofs").arg("--force").expect(0);
    assert_ne!(content(), b"mine");
    home.assert_holds(&["made.erofs", "made.meta"]);
}

#[test]
fn a_conversion_that_is_stopped_ends_its_program_and_leaves_nothing() {
    let home = Home::new();
    let image = home.store.make("source", "squashfs");
    let began = home.path("began");
    let script = format!("echo $$ >{}; exec sleep 1000", began.display());
    let programs = home.instead_of("mkfs.erofs", &script);
    for signal in [nix::libc::SIGINT, nix::libc::SIGTERM] {
        let running = home.convert_with(&programs, &image, "made.erofs").start();
        let pid = || {
            fs::read_to_string(&began)
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        wait_until("the program runs", SOON, || !pid().is_empty());
        let pid = pid();
        running.signal(signal);
        let outcome = running.wait();
        assert_eq!(outcome.code, Some(125), "{outcome}");
        assert!(
            outcome
                .stderr
                .contains(&format!("stopped by signal {signal}")),
            "{outcome}"
        );
        assert!(!Path::new("/proc").join(pid).exists());
        fs::remove_file(&began).expect("remove");
        home.assert_holds(&[]);
    }
}

#[test]
fn what_can_not_be_converted_is_refused_with_a_way_out() {
    let home = Home::new();
    let refused = |source: &Path, name: &str, text: &str| {
        let outcome = home.convert(source, name).arg("--quiet").expect(125);
        assert!(
            outcome.one_line().contains(text),
            "no \"{text}\": {outcome}"
        );
        home.assert_holds(&[]);
    };
    let layout = home.store.bench.directory("layout");
    home.store
        .bench
        .file("layout/oci-layout", "{\"imageLayoutVersion\": \"1.0.0\"}");
    refused(&layout, "made.", "is an OCI layout");
    refused(&layout, "made.erofs", "index.json");
    refused(
        &home.store.make("it", "ext4"),
        "made.erofs",
        "only a kernel reads ext4",
    );
    refused(
        Path::new("/etc/passwd"),
        "made.erofs",
        "holds no file system",
    );
    refused(Path::new("/nowhere"), "made.erofs", "open /nowhere");
    let image = home.store.make("it", "erofs");
    refused(&image, "made", "its ending says no format; hint: --to");
    let as_root = Tool::new(shifter())
        .args(["image", "convert"])
        .arg(&image)
        .arg("/nowhere/made.erofs");
    let outcome = as_root.expect(125);
    assert!(
        outcome
            .one_line()
            .contains("root's rights are not for reading images"),
        "{outcome}"
    );
}

/// After `kill -9`, what it left is the next one's to take away; what another is at work in isn't.
#[test]
fn what_a_killed_conversion_leaves_is_taken_away_by_the_next_one() {
    let home = Home::new();
    let image = home.store.make("source", "squashfs");
    let began = home.path("began");
    let script = format!("echo $$ >>{}; exec sleep 1000", began.display());
    let programs = home.instead_of("mkfs.erofs", &script);
    let pids = || fs::read_to_string(&began).unwrap_or_default();
    let start = |name: &str, number: usize| {
        let running = home.convert_with(&programs, &image, name).start();
        wait_until("the program runs", SOON, || {
            pids().lines().count() == number
        });
        running
    };
    let killed = start("killed.erofs", 1);
    let working = start("working.erofs", 2);
    killed.signal(nix::libc::SIGKILL);
    killed.wait();
    let pid = pids().lines().next().expect("a pid").to_owned();
    wait_until("its program is killed", SOON, || {
        !Path::new("/proc").join(&pid).exists()
    });
    let left = || {
        let names = host::names_in(&home.directory).into_iter();
        let left = names.filter(|name| name.starts_with(".shifter-convert-"));
        left.count()
    };
    assert_eq!(left(), 2);
    home.convert(&image, "made.erofs").expect(0);
    assert_eq!(left(), 1);
    working.signal(nix::libc::SIGTERM);
    working.wait();
    home.assert_holds(&["began", "made.erofs", "made.meta"]);
}
