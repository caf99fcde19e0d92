//! The same for a user who calls `shifter` without root: a user namespace instead.

mod being_made;
mod devices;
mod ending;
mod images;
mod inside;
mod refused;
mod shared;
mod sshd;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use integration::{Outcome, Tool, host, program, shifter, wait_until};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use crate::site::{SOON, Site, USER};

/// A group that the user is in, besides their own.
const STAFF: u32 = 50;

/// A site whose users have FUSE, as with udev everywhere, and may run a copy of `shifter`.
pub struct Home {
    pub site: Site,
    pub program: PathBuf,
    device: PathBuf,
}

impl Home {
    /// With `lines` more in the site's udiRoot.conf.
    pub fn new(lines: &str) -> Self {
        let site = Site::new(lines);
        let program = site.path("shifter");
        // The build directory need not be open to everybody.
        program::copy([shifter()], &program);
        let state = site.bench.directory("users");
        chown(state, Some(USER), Some(USER)).expect("chown");
        let device = site.path("fuse");
        let mode = Mode::from_bits_truncate(0o666);
        mknod(&device, SFlag::S_IFCHR, mode, makedev(10, 229)).expect("mknod");
        fs::set_permissions(&device, fs::Permissions::from_mode(0o666)).expect("chmod");
        Self {
            site,
            program,
            device,
        }
    }

    /// `shifter` with this site's configuration, as the user, who is in `groups`; `prepare` is a script that root runs
    /// before, among mounts of its own.
    fn user(&self, groups: &str, prepare: &str) -> Tool {
        let ids = [
            format!("--reuid={USER}"),
            format!("--regid={USER}"),
            format!("--groups={groups}"),
        ];
        let device = self.device.display();
        Tool::new("setpriv")
            .args(ids)
            .arg(&self.program)
            .arg("--config")
            .arg(self.site.path("udiRoot.conf"))
            .arg("--root")
            .arg(self.state())
            .current_dir(Path::new("/"))
            .after(&format!("mount --bind '{device}' /dev/fuse\n{prepare}"))
    }

    /// Where the state of the user's containers is.
    pub fn state(&self) -> PathBuf {
        self.site.path("users")
    }

    /// `shifter` for the user with this image.
    pub fn shifter(&self, image: &str) -> Tool {
        self.user(&format!("{USER},{STAFF}"), "")
            .arg(format!("--image={image}"))
    }

    /// Runs a shell script in a container of the image `plain`, to its end, with these options.
    #[track_caller]
    fn script(&self, options: &[&str], script: &str) -> Outcome {
        let tool = self.shifter("plain").args(options);
        let outcome = tool.args(["sh", "-c", script]).run();
        self.assert_nothing_left(&outcome);
        outcome
    }

    /// The programs that serve the image in `file`: it is their standard input.
    fn servers(&self, file: &Path) -> Vec<String> {
        let found = host::processes(|shown| shown.starts_with("squashfuse_ll "));
        let pid = |process: &String| process.split(' ').next().unwrap_or_default().to_owned();
        let mut pids: Vec<String> = found.iter().map(pid).collect();
        pids.retain(|pid| {
            fs::read_link(format!("/proc/{pid}/fd/0")).is_ok_and(|served| served == file)
        });
        pids
    }

    #[track_caller]
    fn assert_no_server(&self, file: &Path) {
        wait_until("the server has ended", SOON, || {
            self.servers(file).is_empty()
        });
    }

    #[track_caller]
    fn assert_nothing_left(&self, outcome: &Outcome) {
        self.site.assert_nothing_left(outcome);
        assert_eq!(host::names_in(&self.state()), [""; 0], "{outcome}");
    }
}
