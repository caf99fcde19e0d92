//! A site with an image of a busybox, and a user.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use integration::{Bench, Outcome, Tool, host, require_program, shifter, wait_until};

/// The user's uid and gid.
pub const USER: u32 = 1234;

/// What takes longer than this never happens.
pub const SOON: Duration = Duration::from_secs(20);

const BUSYBOX: &str = "/bin/busybox";

/// Programs of the image, all busybox.
const PROGRAMS: [&str; 16] = [
    "cat", "chmod", "echo", "env", "grep", "head", "id", "ls", "mkdir", "mknod", "pwd", "sh",
    "sleep", "touch", "true", "umask",
];

/// A site in a test's own place.
#[derive(Debug)]
pub struct Site {
    pub bench: Bench,
}

impl Site {
    /// With `lines` more in its udiRoot.conf; `@` there is the site's place.
    pub fn new(lines: &str) -> Self {
        let bench = Bench::new();
        let site = Self { bench };
        for directory in ["udi", "images", "etc", "home/user/work", "data"] {
            site.bench.directory(directory);
        }
        let home = site.path("home/user");
        chown(&home, Some(USER), Some(USER)).expect("chown");
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).expect("chmod");
        site.file("data/file", "the site's\n");
        site.file(
            "etc/passwd",
            "root:x:0:0::/root:/bin/sh\nuser:x:1234:1234:A User:/home/user:/bin/sh\n",
        );
        site.file(
            "etc/group",
            "root:x:0:user\nuser:x:1234:\nstaff:x:50:user,other\n",
        );
        site.file("etc/nsswitch.conf", "passwd: files\n");
        site.configure(lines);
        site.image("plain", "VFS");
        site
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.bench.path(name)
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.bench.file(name, text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("chmod");
        path
    }

    /// Writes the udiRoot.conf anew.
    pub fn configure(&self, lines: &str) {
        let text = format!(
            "udiMount=@/udi\nimagePath=@/images\netcPath=@/etc\ndefaultImageType=id\nmaxGroupCount=31\n\
             siteFs=@/home:/home;@/data:/site/data:ro\nsiteEnv=SHIFTER_RUNTIME=1\n{lines}\n"
        );
        let place = self.path("").display().to_string();
        let text = text.replace('@', place.trim_end_matches('/'));
        self.file("udiRoot.conf", &text);
    }

    /// The tree of an image: a busybox, and directories of several kinds.
    fn tree(&self) -> PathBuf {
        let tree = self.path("images/plain.");
        if tree.exists() {
            return tree;
        }
        for directory in [
            "bin",
            "etc",
            "usr/lib",
            "data/in",
            "closed/open",
            "opt/udiImage",
            "tmp",
        ] {
            self.bench.directory(&format!("images/plain./{directory}"));
        }
        require_program(BUSYBOX, "busybox-static");
        fs::copy(BUSYBOX, tree.join("bin/busybox")).expect("copy busybox");
        let mode = |name: &str, mode| {
            fs::set_permissions(tree.join(name), fs::Permissions::from_mode(mode)).expect("chmod");
        };
        mode("bin/busybox", 0o755);
        mode("closed", 0o700);
        for name in PROGRAMS {
            symlink("busybox", tree.join("bin").join(name)).expect("a link");
        }
        symlink("usr/lib", tree.join("lib")).expect("a link");
        symlink("/data", tree.join("link")).expect("a link");
        self.file("images/plain./etc/passwd", "the image's\n");
        self.file("images/plain./opt/udiImage/fake", "the image's\n");
        tree
    }

    /// Makes the image `id`.
    pub fn image(&self, id: &str, format: &str) {
        let tree = self.tree();
        let extension = if format == "VFS" { "" } else { format };
        let path = self.path(&format!("images/{id}.{extension}"));
        let tool = match format {
            "VFS" => None,
            "squashfs" => {
                let program = "/usr/bin/mksquashfs";
                require_program(program, "squashfs-tools");
                let tool = Tool::new(program).arg(&tree).arg(&path);
                Some(tool.args(["-noappend", "-quiet", "-no-progress"]))
            }
            "erofs" => {
                let program = "/usr/bin/mkfs.erofs";
                require_program(program, "erofs-utils");
                Some(Tool::new(program).arg("--quiet").arg(&path).arg(&tree))
            }
            other => panic!("no {other}"),
        };
        if let Some(tool) = tool {
            tool.expect(0);
        }
        self.describe(
            id,
            &format!(
                "FORMAT: {format}\nENV: PATH=/bin\nENV: IMAGE=yes\nENTRY: ['/bin/echo', 'entered']\n\
                 CMD: ['by default']\nWORKDIR: /data\n"
            ),
        );
    }

    /// Writes the `.meta` file of an image.
    pub fn describe(&self, id: &str, text: &str) {
        self.file(&format!("images/{id}.meta"), text);
    }

    /// `shifter` with this site's configuration, after the word `first` if it isn't empty.
    pub fn tool(&self, first: &str, user: &str) -> Tool {
        let mut tool = Tool::new(shifter());
        if !first.is_empty() {
            tool = tool.arg(first);
        }
        tool.arg("--config")
            .arg(self.path("udiRoot.conf"))
            .arg("--state")
            .arg(self.path("node"))
            .arg("--root")
            .arg(self.bench.root())
            .args(["--user", user])
            .current_dir(Path::new("/"))
    }

    /// `shifter` for the user, with the image `plain`.
    pub fn shifter(&self) -> Tool {
        self.tool("", "1234:1234").arg("--image=plain")
    }

    /// Runs a shell script in a container, to its end, with these options.
    #[track_caller]
    pub fn script(&self, options: &[&str], script: &str) -> Outcome {
        let outcome = self
            .shifter()
            .args(options)
            .args(["sh", "-c", script])
            .run();
        self.assert_nothing_left(&outcome);
        outcome
    }

    /// Fails where a run left anything: state, a cgroup, a mount, an image in use.
    #[track_caller]
    pub fn assert_nothing_left(&self, outcome: &Outcome) {
        self.bench.assert_nothing_left_by(outcome);
        assert_eq!(host::names_in(&self.path("udi")), [""; 0], "{outcome}");
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
        let place = self.path("").display().to_string();
        assert!(!mounts.contains(&place), "{mounts}");
        // The keeper of an image ends by itself, when the kernel has taken the last mount apart.
        wait_until("no image is in use", SOON, || {
            // Which files were read stays known.
            let mut names = host::names_in(&self.path("node"));
            names.retain(|name| name != "checked");
            names.is_empty()
        });
    }
}
