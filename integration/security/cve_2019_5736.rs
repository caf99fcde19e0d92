//! A container has the runtime execute `/proc/self/exe`, keeps a descriptor of it, and writes to the host's program as
//! soon as nobody executes it.

use std::fs;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::time::Duration;

use integration::{Bench, Bundle, Container, Runtime, Tool, plain, program, wait_until};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(10);

/// Root without a user namespace, who may trace: the best that a hostile container can be.
fn lurking(bench: &Bench, name: &str) -> Bundle {
    let bundle = plain::bundle(bench, name, &["probe", "lurk"]);
    bundle.edit(|spec| {
        let sets = json!(["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"]);
        spec["process"]["capabilities"] =
            json!({ "bounding": sets, "permitted": sets, "effective": sets });
    });
    bundle
}

/// A command that is the program of whoever executes it.
fn script(bundle: &Bundle) {
    program::write(
        &bundle.rootfs().join("bin/script"),
        "#!/proc/self/exe --version\n",
    );
}

/// What the lurker could write to, after `times` commands that are the runtime's own program.
fn written(bench: &Bench, runtime: Runtime, times: usize) -> Value {
    // A copy: what is executed anywhere, by another test, is busy for every writer.
    let copy = match runtime {
        Runtime::Ours => bench.everybodys_runtime(),
        _ => "/usr/sbin/runc".into(),
    };
    let state = runtime.state(bench);
    let tool = |id: &str| {
        Tool::new(&copy)
            .arg("--root")
            .arg(&state)
            .args(["exec", id])
    };
    let bundle = lurking(bench, &format!("lurking-{runtime:?}"));
    script(&bundle);
    let container = Container::started(bench, runtime, &bundle);
    let inside = bundle.rootfs().join("tmp");
    wait_until("it lurks", SOON, || inside.join("lurking").exists());
    for _ in 0..times {
        // It ends in one way or another: it is the runtime's program in the container's root.
        tool(&container.id).arg("/bin/script").run();
    }
    fs::write(inside.join("stop"), "").expect("stop it");
    wait_until("it tells", SOON, || container.output().ends_with("}\n"));
    serde_json::from_str(&container.output()).expect("JSON")
}

#[test]
fn the_runtimes_program_is_executed_inside_and_never_written_to() {
    let bench = Bench::new();
    for runtime in [Runtime::Ours, Runtime::Runc] {
        let report = written(&bench, runtime, 20);
        let programs = report["programs"].as_array().expect("programs");
        let foreign = programs.iter().filter(|program| {
            !program
                .as_str()
                .is_some_and(|program| program.starts_with("/bin/"))
        });
        assert_ne!(foreign.count(), 0, "it never saw the runtime: {report:#}");
        assert_eq!(report["written"], json!([]), "{runtime:?}: {report:#}");
    }
}

/// As the command of an image, and as a script's interpreter. The program is a copy: where the guard fails, this one is
/// gone.
#[test]
fn an_image_whose_command_is_the_runtimes_program_changes_nothing() {
    let bench = Bench::new();
    let copy: PathBuf = bench.everybodys_runtime();
    let before = fs::read(&copy).expect("read");
    let bundle = plain::bundle(&bench, "image", &["/proc/self/exe"]);
    script(&bundle);
    for command in ["/proc/self/exe", "/bin/script"] {
        bundle.edit(|spec| spec["process"]["args"] = json!([command, "--version"]));
        let run = Tool::new(&copy).arg("--root").arg(bench.root()).arg("run");
        let outcome = run.arg(&bundle.directory).run();
        assert_eq!(outcome.signal, None, "{outcome}");
        assert!(fs::read(&copy).expect("read") == before, "{command}");
        bench.assert_nothing_left_by(&outcome);
    }
}

/// What the command's process executes before the command: a file that nobody can write, even root.
#[test]
fn a_created_process_runs_from_what_is_read_only() {
    let bench = Bench::new();
    let copy = bench.everybodys_runtime();
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    let create = Tool::new(&copy)
        .arg("--root")
        .arg(bench.root())
        .args(["create", "--bundle"]);
    let pid_file = bench.path("pid");
    let id = format!("created-{}", std::process::id());
    let create = create
        .arg(&bundle.directory)
        .arg("--pid-file")
        .arg(&pid_file)
        .arg(&id);
    create.quietly().expect(0);
    let pid = fs::read_to_string(&pid_file).expect("its pid");
    // Held for reading first, as the attack does: a program that runs is busy for every writer.
    let held = fs::File::open(format!("/proc/{pid}/exe")).expect("open");
    bench.runtime().args(["delete", "--force", &id]).expect(0);
    let again = format!("/proc/self/fd/{}", held.as_raw_fd());
    let write = || fs::OpenOptions::new().write(true).open(&again).map(drop);
    let is_busy = |error: &std::io::Error| error.raw_os_error() == Some(libc::ETXTBSY);
    wait_until("nobody executes it", SOON, || {
        !write().as_ref().is_err_and(is_busy)
    });
    let error = write().expect_err("it can be written to");
    let refusals = [Some(libc::EROFS), Some(libc::EPERM)];
    assert!(refusals.contains(&error.raw_os_error()), "{error}");
}
