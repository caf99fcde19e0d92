//! `dist/shifter-imagegw.service` under systemd: the gateway starts as it stands there, makes images with all that the
//! unit takes from it, can't do what the page says that it can't, and goes on after a kill.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use integration::service::{PATIENCE, Service, status};
use integration::{Bench, Tool, program, shifter_imagegw, shifterimg, under_systemd, wait_until};
use serde_json::{Value, json};

use crate::munged::Munged;
use crate::origin::Origin;
use crate::serving::{ANN, client};

/// In the place of the unit's `shifter`, which a host has that was set up for it: a user that every Debian has.
const USER: &str = "news";
const UID: u32 = 9;

/// The site's examiner, which the gateway starts in what the unit leaves it: it tells what it can do there.
const EXAMINER: &str = r#"#!/usr/bin/python3
import ctypes, errno, json, mmap, os, socket, sys

def outcome(attempt):
    try:
        attempt()
    except OSError as error:
        return errno.errorcode[error.errno]
    except PermissionError:
        return "EPERM"
    return "works"

def libc(name, *arguments):
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)

def write(directory):
    return lambda: os.close(os.open(directory + "/tried", os.O_WRONLY | os.O_CREAT, 0o600))

NEW_USER, NEW_NET, SYS_BPF, SYS_KEYCTL = 0x10000000, 0x40000000, 321, 250
told = {
    "write to the system": outcome(write("@open")),
    "write to its state": outcome(write("@state")),
    "write to its images": outcome(write("@images")),
    "write to /tmp": outcome(write("/tmp")),
    "see others' /var/tmp": outcome(lambda: os.stat("@-seen")),
    "see homes": outcome(lambda: os.listdir("/home")),
    "see process 1": outcome(lambda: os.stat("/proc/1")),
    "see a device": outcome(lambda: os.stat("/dev/kmsg")),
    "make a user namespace": outcome(lambda: libc("unshare", NEW_USER)),
    "make a network namespace": outcome(lambda: libc("unshare", NEW_NET)),
    "mount": outcome(lambda: libc("mount", b"x", b"/tmp", b"tmpfs", 0, None)),
    "use netlink": outcome(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)),
    "use packets": outcome(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)),
    "map what is written and run": outcome(lambda: mmap.mmap(-1, 4096, prot=7)),
    "load a program into the kernel": outcome(lambda: libc("syscall", SYS_BPF, 0, None, 0)),
    "become root": outcome(lambda: os.setuid(0)),
    "root": sys.argv[1], "id": sys.argv[2], "shell": os.path.exists(sys.argv[1] + "/bin/busybox"),
}
with open("@state/told", "w") as file:
    json.dump(told, file)
"#;

/// What it tells then. Nothing here is a permission of files: all of that is open to the user.
const TOLD: [(&str, &str); 16] = [
    ("write to the system", "EROFS"),
    ("write to its state", "works"),
    ("write to its images", "works"),
    ("write to /tmp", "works"),
    ("see others' /var/tmp", "ENOENT"),
    ("see homes", "EACCES"),
    ("see process 1", "ENOENT"),
    ("see a device", "ENOENT"),
    ("make a user namespace", "EPERM"),
    ("make a network namespace", "EPERM"),
    ("mount", "EPERM"),
    ("use netlink", "EAFNOSUPPORT"),
    ("use packets", "EAFNOSUPPORT"),
    ("map what is written and run", "EPERM"),
    ("load a program into the kernel", "EPERM"),
    ("become root", "EPERM"),
];

/// The unit, with names of this test's own: installed, and taken away when dropped.
struct Unit {
    bench: Bench,
    munged: Munged,
    origin: Origin,
    service: Service,
}

impl Unit {
    fn install() -> Self {
        let bench = Bench::new();
        let munged = Munged::start(&bench);
        let origin = Origin::start(&bench);
        let unit = Self {
            service: Service {
                name: format!("shifter-imagegw-test-{}", std::process::id()),
                log: bench.path("log"),
            },
            bench,
            munged,
            origin,
        };
        for own in [unit.images(), unit.open()] {
            fs::create_dir(&own).expect("a directory");
            chown(&own, Some(UID), Some(UID)).expect("chown");
        }
        fs::write(unit.seen(), "").expect("write");
        let programs = unit.bench.directory("programs");
        program::copy([shifter_imagegw(), shifterimg()], &programs);
        let examiner = unit.named(EXAMINER);
        program::write(&programs.join("examiner"), &examiner);
        unit.configure("erofs");
        unit.service.install(&unit.text());
        unit
    }

    /// `@state`, `@images`, `@open` and `@` in a text are this test's places.
    fn named(&self, text: &str) -> String {
        let shown = |path: PathBuf| path.display().to_string();
        let place = shown(self.bench.path(""));
        let text = text.replace("@open", &shown(self.open()));
        let text = text.replace("@state", &shown(self.service.state()));
        let text = text.replace("@images", &shown(self.images()));
        text.replace('@', place.trim_end_matches('/'))
    }

    fn images(&self) -> PathBuf {
        Path::new("/var/lib").join(format!("{}-images", self.service.name))
    }

    /// A directory that is the user's, and nothing to the gateway.
    fn open(&self) -> PathBuf {
        Path::new("/var/lib").join(format!("{}-open", self.service.name))
    }

    /// A file of this host's that the unit has no business with.
    fn seen(&self) -> PathBuf {
        PathBuf::from(self.named("@-seen"))
    }

    fn configure(&self, format: &str) {
        let configuration = json!({
            "StateDirectory": self.service.state(),
            "Listen": "127.0.0.1:0",
            "TLS": "off",
            "DefaultImageFormat": format,
            "PullUpdateTimeout": 1,
            "examiner": self.bench.path("programs/examiner"),
            "Limits": { "FreeMegabytes": 0 },
            "DefaultImageLocation": "reg.io",
            "Locations": { "reg.io": {
                "remotetype": "dockerv2", "url": format!("http://{}", self.origin.address),
            } },
            "Platforms": { "cluster": {
                "mungeSocketPath": self.munged.socket, "accesstype": "local", "admins": [],
                "local": { "imageDir": self.images() },
            } },
        });
        self.bench
            .file("imagemanager.json", configuration.to_string());
    }

    /// The project's unit, but for its names, for where it logs, and for what of `/var/tmp` is the test's.
    fn text(&self) -> String {
        let user = format!("User={USER}\nGroup={USER}\n");
        let state = format!("StateDirectory={}\n", self.service.name);
        let more = format!(
            "[Service]\nStandardError=append:{}\nBindReadOnlyPaths={}\n",
            self.service.log.display(),
            self.bench.path("").display()
        );
        let own = |path: &str| self.bench.path(path).display().to_string();
        let changes = [
            ("User=shifter\nGroup=shifter\n", user),
            ("/usr/bin/shifter-imagegw", own("programs/shifter-imagegw")),
            ("/etc/shifter/imagemanager.json", own("imagemanager.json")),
            ("StateDirectory=shifter-imagegw\n", state),
            (
                "/var/lib/shifter/images",
                self.images().display().to_string(),
            ),
            ("[Service]\n", more),
        ];
        Service::text("shifter-imagegw.service", changes)
    }

    /// A field of the gateway's `/proc/PID/status`.
    fn status(&self, field: &str) -> String {
        status(self.service.pid(), field)
    }

    /// Has clients ask where its log said last that it listens.
    fn find(&self) {
        let text = "imagePath=@images\netcPath=/etc\nsystem=cluster\ndefaultImageType=docker\n";
        let text = format!(
            "{}imageGateway=http://{}\n",
            self.named(text),
            self.service.address()
        );
        self.bench.file("udiRoot.conf", text);
    }

    fn start(&self) {
        self.service.start();
        self.find();
    }

    fn client(&self, arguments: &[&str]) -> Tool {
        client(&self.bench, &self.munged, ANN, arguments).limit(PATIENCE)
    }

    /// Names of the images.
    fn made(&self) -> Vec<String> {
        let mut names = integration::host::names_in(&self.images());
        names.retain(|name| name != "tried");
        names.sort();
        names
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        self.origin.release();
        self.service.show_where_a_test_fails();
        self.service.try_systemctl(&["stop"]);
        self.service.uninstall();
        let _ = fs::remove_file(self.seen());
        for directory in [self.service.state(), self.images(), self.open()] {
            let _ = fs::remove_dir_all(directory);
        }
    }
}

/// One unit for all: it takes its time to start.
#[test]
fn the_unit_pulls_with_no_privilege_and_goes_on_after_a_kill() {
    under_systemd(pulls_and_goes_on);
}

fn pulls_and_goes_on() {
    let unit = Unit::install();
    unit.start();

    // A user of its own, and no capability in any set.
    assert_eq!(unit.status("Uid"), format!("{UID}\t{UID}\t{UID}\t{UID}"));
    assert_eq!(unit.status("Gid"), format!("{UID}\t{UID}\t{UID}\t{UID}"));
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(unit.status(set), "0".repeat(16), "{set}");
    }
    assert_eq!(unit.status("NoNewPrivs"), "1");
    assert_eq!(unit.status("Seccomp"), "2");
    let mode = fs::metadata(unit.service.state())
        .expect("its state")
        .permissions();
    assert_eq!(mode.mode() & 0o7777, 0o700);

    // What nobody sees coming, in the middle of a pull.
    unit.origin.hold();
    unit.client(&["pullnb", "tools/x:1"]).expect(0);
    wait_until("the layer is asked for", PATIENCE, || {
        unit.origin.held() > 0
    });
    unit.service.systemctl(&[
        "kill",
        "--kill-who=main",
        "--signal=KILL",
        &unit.service.name,
    ]);
    wait_until("it is there again", PATIENCE, || {
        unit.service.property("NRestarts") == "1"
            && unit.service.property("ActiveState") == "active"
    });
    unit.find();
    unit.origin.release();
    wait_until("the pull has gone on", PATIENCE, || {
        unit.client(&["lookup", "tools/x:1"]).run().code == Some(0)
    });

    // Images of both kinds are made within all that, and shown to the site's examiner.
    let id = unit.origin.id().to_owned();
    assert_eq!(unit.made(), [format!("{id}.erofs"), format!("{id}.meta")]);
    let told = fs::read(unit.service.state().join("told")).expect("what the examiner told");
    let told: Value = serde_json::from_slice(&told).expect("JSON");
    for (what, meant) in TOLD {
        assert_eq!(told[what], meant, "{what}: {told:#}");
    }
    assert_eq!(
        (&told["id"], &told["shell"]),
        (&json!(id), &json!(true)),
        "{told:#}"
    );
    unit.configure("squashfs");
    unit.service.systemctl(&["restart", &unit.service.name]);
    unit.find();
    unit.client(&["pull", "tools/y:1"]).expect(0);
    assert!(
        unit.made().contains(&format!("{id}.squashfs")),
        "{:?}",
        unit.made()
    );

    // What the administrator does.
    let pid = unit.service.pid();
    unit.service.systemctl(&["reload", &unit.service.name]);
    assert_eq!(unit.service.pid(), pid);
    unit.service.systemctl(&["stop", &unit.service.name]);
    assert_eq!(unit.service.property("Result"), "success");
    assert_eq!(unit.service.property("ActiveState"), "inactive");
}
