//! The machine that the package is installed in, and this machine never sees.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use integration::{Bench, Outcome, Tool};

/// Makes the machine: `$1` is a directory for the layer, and `$2`, the test's, is in the machine too. Ends with its
/// standard input.
const MACHINE: &str = r#"
set -eu
mount -t tmpfs layer "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
for directory in proc sys dev; do mount --rbind "/$directory" "$1/root/$directory"; done
mount -t tmpfs run "$1/root/run"
mount -t tmpfs tmp "$1/root/tmp"
mkdir -p "$1/root/$2"
mount --bind "$2" "$1/root/$2"
mkdir "$1/root/tmp/layer"
mount --bind "$1/upper" "$1/root/tmp/layer"
cd "$1/root"
mkdir tmp/old
pivot_root . tmp/old
umount -l /tmp/old
rmdir /tmp/old
echo ready
exec cat >/dev/null
"#;

/// This machine with a layer over its file system.
pub struct Machine {
    process: Child,
    /// What making it has changed.
    before: Vec<String>,
    _input: ChildStdin,
}

impl Machine {
    pub fn new(bench: &Bench) -> Self {
        let layer = bench.directory("layer");
        let mut process = Command::new("unshare")
            .args([
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-c",
                MACHINE,
                "sh",
            ])
            .arg(&layer)
            .arg(bench.path(""))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare");
        let input = process.stdin.take().expect("a pipe");
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().expect("a pipe"));
        output.read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n", "no machine was made");
        let mut machine = Self {
            process,
            before: vec![],
            _input: input,
        };
        machine.before = machine.changes();
        machine
    }

    pub fn tool(&self, program: &str) -> Tool {
        let mut tool = Tool::new("nsenter").args(["--target", &self.process.id().to_string()]);
        tool = tool.args(["--mount", "--root", program]);
        tool.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("DEBIAN_FRONTEND", "noninteractive")
    }

    #[track_caller]
    pub fn shell(&self, script: &str) -> Outcome {
        self.tool("bash").args(["-c", script]).expect(0)
    }

    /// All that was made, changed or removed since the machine was made, but for what dpkg and the index of man
    /// pages note for themselves.
    pub fn changes(&self) -> Vec<String> {
        let list = self.shell("cd /tmp/layer && find . ! -type d; cd /run && find . ! -name .");
        let own = |line: &&str| {
            [
                "./var/lib/dpkg/",
                "./var/log/",
                "./var/cache/man/",
                "./var/cache/ldconfig/",
                "./var/lib/man-db/",
            ]
            .iter()
            .any(|place| line.starts_with(place))
        };
        let mut lines: Vec<String> = list
            .stdout
            .lines()
            .filter(|line| !own(line))
            .map(str::to_owned)
            .filter(|line| !self.before.contains(line))
            .collect();
        lines.sort();
        lines
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Its mounts go with it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The package, where it is in the machine too.
pub fn package(bench: &Bench) -> PathBuf {
    let path = std::env::var_os("OPT_PACKAGE").map(PathBuf::from);
    let path = path.expect(
        "OPT_PACKAGE names the Debian package: OPT_PACKAGE=$(hack/package dev | tail -n 1)",
    );
    let copy = bench.path("package.deb");
    fs::copy(&path, &copy).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    copy
}

/// A machine with it.
pub fn with_package(bench: &Bench) -> Machine {
    let machine = Machine::new(bench);
    let dpkg = machine.tool("dpkg").arg("--install");
    dpkg.arg(package(bench)).expect(0);
    machine
}
