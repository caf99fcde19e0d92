//! A store with an image of each format, all of the same small tree.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use integration::{Bench, Tool, host, require_program, shifter, skip, wait_until};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

/// What `hello` in the tree says.
pub const HELLO: &str = "hello from the image\n";

/// What takes longer than this never happens.
pub const SOON: Duration = Duration::from_secs(20);

/// A store in a test's own place, and a directory to mount on.
#[derive(Debug)]
pub struct Store {
    pub bench: Bench,
    pub directory: PathBuf,
    pub place: PathBuf,
    pub state: PathBuf,
}

impl Store {
    pub fn new() -> Self {
        let bench = Bench::new();
        Self {
            directory: bench.directory("store"),
            place: bench.directory("place"),
            state: bench.path("images"),
            bench,
        }
    }

    /// A tree with a file, a link, a setuid copy of id(1), a capability's worth of xattr and a device node.
    pub fn tree(&self) -> PathBuf {
        let tree = self.bench.path("tree");
        if tree.exists() {
            return tree;
        }
        let tree = self.bench.directory("tree");
        self.bench.directory("tree/deep");
        self.bench.file("tree/hello", HELLO);
        self.bench.file("tree/deep/file", "deep\n");
        symlink("hello", tree.join("link")).expect("a link");
        let setuid = tree.join("setuid-id");
        fs::copy("/usr/bin/id", &setuid).expect("copy id");
        fs::set_permissions(&setuid, fs::Permissions::from_mode(0o6755)).expect("chmod");
        let node = tree.join("null");
        let everybody = Mode::from_bits_truncate(0o666);
        mknod(&node, SFlag::S_IFCHR, everybody, makedev(1, 3)).expect("mknod");
        fs::set_permissions(&node, fs::Permissions::from_mode(0o666)).expect("chmod");
        tree
    }

    /// Makes the image `id` of that tree; none where this host can't.
    pub fn make(&self, id: &str, format: &str) -> PathBuf {
        let tree = self.tree();
        let path = self.path(id, format);
        let program = |path, package| {
            require_program(path, package);
            Tool::new(path)
        };
        match format {
            "squashfs" => {
                let tool = program("/usr/bin/mksquashfs", "squashfs-tools");
                tool.arg(&tree)
                    .arg(&path)
                    .args(["-noappend", "-quiet", "-no-progress"])
            }
            "erofs" => {
                let tool = program("/usr/bin/mkfs.erofs", "erofs-utils");
                tool.arg("--quiet").arg(&path).arg(&tree)
            }
            "ext4" => {
                fs::File::create(&path)
                    .and_then(|file| file.set_len(8 << 20))
                    .expect("a file");
                let tool = program("/usr/sbin/mkfs.ext4", "e2fsprogs");
                tool.args(["-q", "-d"]).arg(&tree).arg(&path)
            }
            "xfs" => {
                // No smaller one is made.
                fs::File::create(&path)
                    .and_then(|file| file.set_len(320 << 20))
                    .expect("a file");
                let prototype = self.prototype(&tree);
                let tool = program("/usr/sbin/mkfs.xfs", "xfsprogs");
                tool.args(["-q", "-p"]).arg(prototype).arg(&path)
            }
            "VFS" => Tool::new("cp").arg("-a").arg(&tree).arg(&path),
            other => panic!("no {other}"),
        }
        .expect(0);
        self.describe(id, format);
        path
    }

    /// What mkfs.xfs copies.
    fn prototype(&self, tree: &Path) -> PathBuf {
        let tree = tree.display();
        let text = format!(
            "/dev/null\n0 0\nd--755 0 0\nhello ---644 0 0 {tree}/hello\nlink l--777 0 0 hello\n\
             setuid-id -ug755 0 0 {tree}/setuid-id\nnull c--666 0 0 1 3\ndeep d--755 0 0\n\
             file ---644 0 0 {tree}/deep/file\n$\n$\n"
        );
        self.bench.file("prototype", text)
    }

    /// Where the image `id` is.
    pub fn path(&self, id: &str, format: &str) -> PathBuf {
        let extension = if format == "VFS" { "" } else { format };
        self.directory.join(format!("{id}.{extension}"))
    }

    /// Writes its `.meta` file.
    pub fn describe(&self, id: &str, format: &str) {
        let meta = self.directory.join(format!("{id}.meta"));
        fs::write(meta, format!("FORMAT: {format}\n")).expect("write a .meta file");
    }

    /// `shifter image COMMAND` on this store's state.
    pub fn image(&self, command: &str) -> Tool {
        let tool = Tool::new(shifter()).args(["image", command, "--state"]);
        tool.arg(&self.state).current_dir(&self.bench.path(""))
    }

    /// `shifter image mount`, for a command that is added.
    pub fn mount(&self, id: &str) -> Tool {
        let tool = self.image("mount").arg("--store").arg(&self.directory);
        tool.arg(id).arg(&self.place).arg("--")
    }

    /// Runs a shell script with the image `id` mounted on `$1`.
    pub fn script(&self, id: &str, script: &str) -> Tool {
        let tool = self.mount(id).args(["sh", "-c", script, "sh"]);
        tool.arg(&self.place)
    }

    /// Loop devices of images of this store.
    pub fn loop_devices(&self) -> Vec<String> {
        let devices = host::snapshot().into_iter();
        let ours = self.bench.path("").display().to_string();
        devices
            .filter(|line| line.starts_with("loop") && line.contains(&ours))
            .collect()
    }

    /// What is in the state directory.
    pub fn state_names(&self) -> Vec<String> {
        host::names_in(&self.state)
    }

    /// Waits until no image is in use. The kernel takes a mount apart after the process that had it.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        wait_until("no image is in use", SOON, || self.state_names().is_empty());
        wait_until("no loop device is left", SOON, || {
            self.loop_devices().is_empty()
        });
    }
}

/// Formats that this kernel mounts; it is told which it doesn't.
pub fn formats() -> Vec<&'static str> {
    let known = fs::read_to_string("/proc/filesystems").expect("file systems");
    let is_known = |format: &&str| {
        let known = *format == "VFS" || known.lines().any(|line| line.trim_end().ends_with(format));
        if !known {
            skip(&format!("this kernel has no {format}"));
        }
        known
    };
    let all = ["squashfs", "erofs", "ext4", "xfs", "VFS"];
    all.into_iter().filter(is_known).collect()
}

/// Gives a file to another user.
pub fn give_away(path: &Path) {
    chown(path, Some(1234), Some(1234)).expect("chown");
}
