//! The bundles in which the hostile program runs.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;

use integration::{
    Bench, Bundle, Container, Ordinary, Probe, Runtime, Tool, plain, program, wait_until,
};
use serde_json::{Value, json};

use crate::site::{SOON, Site};

/// What came of the attempts in one kind of bundle.
pub struct Column {
    /// How it ran.
    pub name: &'static str,
    /// What it is, as `allowed.tsv` has it.
    pub places: &'static [&'static str],
    /// The outcomes by attempt.
    pub report: Value,
}

fn column(name: &'static str, places: &'static [&'static str], report: Value) -> Column {
    Column {
        name,
        places,
        report,
    }
}

/// Those that are sealed.
pub fn ours() -> Vec<Column> {
    let _somebodys = somebodys_memory();
    let mut columns = vec![];
    columns.extend(opt_server());
    columns.extend(shifter());
    columns.push(rootless());
    columns
}

/// A file in the host's `/dev/shm`, where there may be none: whoever sees that directory is to be seen seeing it.
fn somebodys_memory() -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new();
    file.prefix("somebodys-")
        .tempfile_in("/dev/shm")
        .expect("a file in /dev/shm")
}

/// A command of an Opt-Server's, and `exec` into its bundle.
fn opt_server() -> [Column; 2] {
    let bench = Bench::new();
    let probe = Probe::on(&bench);
    let bundle = bench.sealed("run", &probe.command(), &["try"]);
    let run = Probe::report(&bundle.run(&bench).run());
    let bundle = bench.sealed("exec", &probe.command(), &["hold"]);
    let container = Container::created(&bench, Runtime::Ours, &bundle);
    let words = bundle.spec()["process"]["args"][0].clone();
    let program = words.as_str().expect("a program").to_owned();
    let exec = Probe::report(&container.exec(&[&program, "try"]).run());
    [
        column("opt-server", &["opt-server"], run),
        column("exec into opt-server", &["opt-server", "exec"], exec),
    ]
}

/// The probe in the image of a site's.
fn site() -> Site {
    let site = Site::new("");
    let tree = site.path("images/plain.");
    program::copy([integration::probe_path()], &tree.join("bin"));
    for file in [
        "/lib64/ld-linux-x86-64.so.2",
        "/lib/x86_64-linux-gnu/libc.so.6",
        "/lib/x86_64-linux-gnu/libgcc_s.so.1",
    ] {
        // The image's lib is a link to its usr/lib.
        let to = tree.join(file.trim_start_matches('/').replace("lib/", "usr/lib/"));
        fs::create_dir_all(to.parent().expect("a directory")).expect("a directory");
        program::copy([file], &to);
    }
    site
}

/// A user's command in an image, and `exec` into it.
fn shifter() -> [Column; 2] {
    let site = site();
    let words = ["-w=/home/user", "/bin/probe"];
    let run = Probe::report(&site.shifter().args(words).arg("try").run());
    // Not the probe's own way to wait, which leaves things in what Shifter shares with the host.
    let waiting = ["-w=/home/user", "sh", "-c", "echo ready; read end"];
    let mut held = site.shifter().args(waiting).start();
    held.wait_for("ready");
    let ids = site.bench.state_names();
    let [id] = ids
        .iter()
        .filter(|id| !id.starts_with(['@', '%']))
        .collect::<Vec<_>>()[..]
    else {
        panic!("not one container: {ids:?}");
    };
    let exec = site
        .bench
        .runtime()
        .args(["exec", "--cwd", "/home/user", id, "/bin/probe", "try"]);
    let exec = Probe::report(&exec.run());
    held.finish();
    wait_until("the image is let go of", SOON, || {
        integration::host::names_in(&site.path("node")).is_empty()
    });
    [
        column("shifter", &["shifter"], run),
        column("exec into shifter", &["shifter", "exec"], exec),
    ]
}

/// An ordinary user's own bundle, sealed by `opt-runtime seal`, and run without root.
fn rootless() -> Column {
    const UID: u32 = 54_328;
    let user = Ordinary::new(UID, &["/bin/probe", "try"]);
    user.map(json!([{ "containerID": 1000, "hostID": UID, "size": 1 }]));
    user.bundle.edit(|spec| {
        spec["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
        spec["process"]["cwd"] = json!("/tmp");
    });
    let sealed = user.bench.path("sealed");
    let seal = user.bench.runtime().arg("seal").arg(&user.bundle.directory);
    seal.arg("--output").arg(&sealed).expect(0);
    give(&sealed, UID);
    let outcome = user.runtime().arg("run").arg(&sealed).run();
    column("rootless", &["rootless"], Probe::report(&outcome))
}

/// Makes a user the owner of what he is to run.
fn give(tree: &Path, uid: u32) {
    for path in crate::attacker::tree(tree).keys() {
        let _ = chown(path, Some(uid), Some(uid));
    }
}

/// runc's and podman's default bundles, the same program in them.
pub fn peers() -> Vec<Column> {
    vec![runc(), podman()]
}

/// What `runc spec` writes.
fn runc() -> Column {
    let bench = Bench::new();
    let directory = bench.directory("runc");
    plain::root_file_system(&directory.join("rootfs"));
    Tool::new("/usr/sbin/runc")
        .arg("spec")
        .current_dir(&directory)
        .expect(0);
    let bundle = Bundle::at(directory.clone(), &directory);
    bundle.edit(|spec| {
        spec["process"]["args"] = json!(["/bin/probe", "try"]);
        spec["process"]["terminal"] = json!(false);
    });
    let id = format!("attempts-{}", std::process::id());
    let tool = Tool::new("/usr/sbin/runc").arg("--root").arg(bench.root());
    let outcome = tool.args(["run", "--bundle"]).arg(&directory).arg(id).run();
    column("runc", &[], Probe::report(&outcome))
}

/// What `podman run` writes, as root, for a root file system. The limits are those that a root without
/// CAP_SYS_RESOURCE can give.
fn podman() -> Column {
    let bench = Bench::new();
    let rootfs = bench.directory("rootfs");
    plain::root_file_system(&rootfs);
    let settings = "[containers]\ndefault_ulimits = [\"nofile=20000:20000\", \"nproc=32768:32768\"]\n\
                    [engine]\nevents_logger = \"file\"\ncgroup_manager = \"cgroupfs\"\n";
    let settings = bench.file("containers.conf", settings);
    let outcome = Tool::new("/usr/bin/podman")
        .env("CONTAINERS_CONF", settings.to_str().expect("UTF-8"))
        .arg("--root")
        .arg(bench.directory("storage"))
        .arg("--runroot")
        .arg(bench.directory("run"))
        .args(["--runtime", "runc", "run", "--rm", "--network", "none"])
        .arg("--rootfs")
        .arg(&rootfs)
        .args(["/bin/probe", "try"])
        // It mounts its storage, and leaves that.
        .after("true")
        .run();
    column("podman", &[], Probe::report(&outcome))
}
