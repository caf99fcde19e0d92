//! A user's own image: read with the user's rights, and never by the kernel unless the site says so.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use integration::{Tool, host, shifter, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::Pid;

use crate::store::{HELLO, SOON, Store, give_away};

const USER: &str = "1234";

/// A place with a program and a directory that the user gets to.
struct Home {
    store: Store,
    program: PathBuf,
    image: PathBuf,
}

impl Home {
    /// With an image of this format, and the user's own.
    fn new(format: &str) -> Self {
        let store = Store::new();
        let image = store.make("own", format);
        give_away(&image);
        // The build directory need not be open to everybody.
        let program = store.bench.path("shifter");
        fs::copy(shifter(), &program).expect("copy the program");
        give_away(&store.place);
        Self {
            store,
            program,
            image,
        }
    }

    /// The program as the user, on a host whose users have FUSE, as everywhere with udev.
    fn user(&self, arguments: &[&str]) -> Tool {
        let device = self.store.bench.path("fuse");
        if !device.exists() {
            let everybody = Mode::from_bits_truncate(0o666);
            mknod(&device, SFlag::S_IFCHR, everybody, makedev(10, 229)).expect("mknod");
            fs::set_permissions(&device, fs::Permissions::from_mode(0o666)).expect("chmod");
        }
        Tool::new("setpriv")
            .args(["--reuid", USER, "--regid", USER, "--clear-groups"])
            .arg(&self.program)
            .args(arguments)
            .current_dir(Path::new("/"))
            .after(&format!("mount --bind {} /dev/fuse", device.display()))
    }

    fn mount(&self, image: &Path, script: &str) -> Tool {
        let image = image.to_str().expect("a path");
        let place = self.store.place.to_str().expect("a path");
        self.user(&[
            "image", "mount", image, place, "--", "sh", "-c", script, "sh", place,
        ])
    }

    /// The programs that serve the image: it is their standard input.
    fn servers(&self) -> Vec<String> {
        let mut found = host::processes(|shown| shown.starts_with("squashfuse_ll "));
        found.retain(|process| {
            let pid = process.split(' ').next().unwrap_or_default();
            fs::read_link(format!("/proc/{pid}/fd/0")).is_ok_and(|file| file == self.image)
        });
        found
    }
}

#[test]
fn a_users_image_is_served_to_the_user_without_the_kernels_driver_and_without_power() {
    let home = Home::new("squashfs");
    let script = "cat $1/link; id -u; grep \" $1 \" /proc/self/mountinfo
        grep -e NoNewPrivs -e CapEff /proc/self/status; $1/setuid-id; exit 5";
    let outcome = home.mount(&home.image, script).expect(5);
    let said = &outcome.stdout;
    assert!(said.starts_with(&format!("{HELLO}{USER}\n")), "{outcome}");
    let mount = said
        .lines()
        .find(|line| line.contains(" - "))
        .expect("a mount");
    assert!(
        mount.contains(" ro,nosuid,nodev") && mount.contains(" - fuse"),
        "{mount}"
    );
    assert!(said.contains("NoNewPrivs:\t1"), "{outcome}");
    assert!(said.contains("CapEff:\t0000000000000000"), "{outcome}");
    let id = said.lines().last().expect("what id says");
    assert!(
        id.starts_with("uid=1234") && !id.contains("euid"),
        "{outcome}"
    );
    assert_eq!(home.store.loop_devices(), [""; 0]);
    wait_until("the server has ended", SOON, || home.servers().is_empty());
}

#[test]
fn the_server_of_a_users_image_ends_with_a_command_that_is_killed() {
    let home = Home::new("squashfs");
    let mut running = home
        .mount(&home.image, "echo ready; read line; cat $1/hello")
        .start();
    running.wait_for("ready");
    assert_eq!(home.servers().len(), 1);
    running.kill();
    wait_until("the server has ended", SOON, || home.servers().is_empty());
}

/// That would hold the mount, and the mount its server.
#[test]
fn the_server_of_a_users_image_ends_with_the_command_and_not_with_what_that_leaves_running() {
    let home = Home::new("squashfs");
    let script = "sleep 1000 </dev/null >/dev/null 2>&1 & echo $!";
    let outcome = home.mount(&home.image, script).expect(0);
    let left: i32 = outcome.stdout.trim().parse().expect("a pid");
    let left = Left(Pid::from_raw(left));
    wait_until("the server has ended", SOON, || home.servers().is_empty());
    let state = host::state_of(left.0.as_raw());
    assert!(state.is_some_and(|state| state != 'Z'), "it has ended");
}

/// A process that nothing else ends.
struct Left(Pid);

impl Drop for Left {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGKILL);
    }
}

/// Root's as well: who it is that serves the file could read all of it.
#[test]
fn modes_count_in_a_users_image() {
    let home = Home::new("squashfs");
    let tree = home.store.bench.directory("kept");
    let kept = tree.join("kept");
    fs::write(&kept, "SECRET").expect("write");
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o600)).expect("chmod");
    let image = home.store.bench.path("kept.squashfs");
    let made = Tool::new("mksquashfs").arg(&tree).arg(&image);
    made.args(["-noappend", "-quiet", "-no-progress"]).expect(0);
    give_away(&image);
    let outcome = home.mount(&image, "cat $1/kept").expect(1);
    assert!(outcome.stderr.contains("Permission denied"), "{outcome}");
    assert_eq!(outcome.stdout, "");
}

#[test]
fn a_user_gets_no_image_that_the_user_could_not_read() {
    let home = Home::new("squashfs");
    let roots = home.store.make("roots", "squashfs");
    fs::set_permissions(&roots, fs::Permissions::from_mode(0o600)).expect("chmod");
    let outcome = home.mount(&roots, "echo MOUNTED").expect(125);
    assert!(
        outcome.one_line().contains("Permission denied"),
        "{outcome}"
    );
    let pipe = home.store.bench.path("pipe");
    nix::unistd::mkfifo(&pipe, Mode::from_bits_truncate(0o666)).expect("a pipe");
    let outcome = home.mount(&pipe, "echo MOUNTED").expect(125);
    assert!(
        outcome.one_line().contains("is not a regular file"),
        "{outcome}"
    );
    let outcome = home
        .user(&["image", "mount", "own", "/mnt", "--", "true"])
        .expect(125);
    assert!(outcome.one_line().contains("is root's to do"), "{outcome}");
}

/// Whether it is there is told to nobody who may not look: neither by the user's own process, nor by root's for the user.
#[test]
fn an_image_where_the_user_may_not_look_is_as_good_as_absent() {
    let home = Home::new("squashfs");
    let closed = home.store.bench.directory("closed");
    fs::rename(home.store.make("there", "squashfs"), closed.join("there")).expect("rename");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("chmod");
    let (there, absent) = (closed.join("there"), closed.join("never"));
    for mount in [
        |home: &Home, image: &Path| home.mount(image, "echo MOUNTED"),
        |home: &Home, image: &Path| as_root(home, "kernel", "1234:1234", image),
    ] {
        let [there, absent] = [&there, &absent].map(|image| {
            let outcome = mount(&home, image).expect(125);
            assert_eq!(outcome.stdout, "", "{outcome}");
            outcome.one_line().replace("/closed/never", "/closed/there")
        });
        assert!(there.contains("Permission denied"), "{there}");
        assert_eq!(there, absent);
    }
    home.store.assert_nothing_left();
}

#[test]
fn a_users_image_that_no_program_reads_is_refused_with_a_way_out() {
    let home = Home::new("ext4");
    let outcome = home.mount(&home.image, "echo MOUNTED").expect(125);
    assert!(
        outcome.one_line().contains("hint: only a kernel reads it"),
        "{outcome}"
    );
    let broken = home.store.bench.path("broken");
    let mut head = b"hsqs".to_vec();
    head.resize(4096, 0);
    fs::write(&broken, head).expect("write");
    let outcome = home.mount(&broken, "echo MOUNTED").expect(125);
    assert!(
        outcome
            .one_line()
            .contains("squashfuse_ll doesn't serve it: "),
        "{outcome}"
    );
    assert_eq!(home.servers(), [""; 0]);
}

/// As root, for the user, under this policy.
fn as_root(home: &Home, users_images: &str, whom: &str, image: &Path) -> Tool {
    let text = format!("[shifter]\nusers-images = \"{users_images}\"\n");
    let policy = home.store.bench.file("policy.toml", text);
    let tool = home.store.image("mount").arg("--policy").arg(policy);
    tool.args(["--for", whom])
        .arg(image)
        .arg(&home.store.place)
        .args(["--", "sh", "-c", "cat $1/hello", "sh"])
        .arg(&home.store.place)
}

#[test]
fn the_kernel_mounts_a_users_image_only_where_the_policy_says_so_and_with_the_users_rights() {
    let home = Home::new("squashfs");
    for policy in ["fuse", "none"] {
        let outcome = as_root(&home, policy, "1234:1234", &home.image).expect(125);
        assert!(
            outcome
                .one_line()
                .contains("keeps users' files from the kernel"),
            "{outcome}"
        );
    }
    let outcome = as_root(&home, "kernel", "1234:1234", &home.image).expect(0);
    assert_eq!(outcome.stdout, HELLO);
    home.store.assert_nothing_left();

    let roots = home.store.make("roots", "squashfs");
    fs::set_permissions(&roots, fs::Permissions::from_mode(0o640)).expect("chmod");
    let outcome = as_root(&home, "kernel", "1234:1234", &roots).expect(125);
    assert!(
        outcome
            .one_line()
            .contains("open as uid 1234: Permission denied"),
        "{outcome}"
    );
    as_root(&home, "kernel", "1234:1234:0", &roots).expect(0);
    home.store.assert_nothing_left();

    let text = "[shifter]\nusers-images = \"none\"\n";
    let policy = home.store.bench.file("none.toml", text);
    let policy = policy.to_str().expect("a path");
    let image = home.image.to_str().expect("a path");
    let outcome = home.user(&[
        "image", "mount", "--policy", policy, image, "/mnt", "--", "true",
    ]);
    let outcome = outcome.expect(125);
    assert!(
        outcome
            .one_line()
            .contains("allows no images but those of its store"),
        "{outcome}"
    );
}
