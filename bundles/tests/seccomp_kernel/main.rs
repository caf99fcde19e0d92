//! The opt-server profile in a real kernel: what the simulation says, the kernel does, and real programs
//! run. Filters can't be taken off again, so each test starts this program anew as a child.

mod needed;

use std::error::Error;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use bundles::seccomp::{
    Decision, EAFNOSUPPORT, Filter, Instruction, banned_calls, compile_strict, opt_server,
};

/// Tells the child what to do.
const TASK: &str = "OPT_SECCOMP_TEST_TASK";

/// Seconds: no program here takes nearly as long.
const WATCHDOG: &str = "60";

fn filter() -> Filter {
    compile_strict(&opt_server().to_oci()).expect("our own profile")
}

/// Runs the test `child` of this program with a task, and gives what it printed.
fn run(task: &str) -> Output {
    child_of(task, WATCHDOG).output().expect("start the child")
}

/// Likewise in `place`, under the profile that [`needed::weakened`] makes of `asked`; killed after so many seconds.
fn run_under(task: &str, asked: &str, place: &Path, limit: &str) -> Output {
    let mut command = child_of(task, limit);
    command.env(needed::WITHOUT, asked).current_dir(place);
    command.output().expect("start the child")
}

fn child_of(task: &str, limit: &str) -> Command {
    let mut command = Command::new("timeout");
    command
        .args(["--signal", "KILL", limit])
        .arg(std::env::current_exe().expect("own path"))
        .args(["--exact", "child", "--nocapture"])
        .env(TASK, task);
    command
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Not a test by itself: the part that runs under the filter.
#[test]
fn child() -> Result<(), Box<dyn Error>> {
    let Ok(task) = std::env::var(TASK) else {
        return Ok(());
    };
    let filter = needed::weakened().map_or_else(filter, |profile| {
        compile_strict(&profile.to_oci()).expect("a profile of ours, less a rule")
    });
    let instructions = filter.program().iter().map(of_loader).collect::<Vec<_>>();
    seccompiler::apply_filter(&instructions)?;
    match task.strip_prefix("sh:") {
        Some(script) => Err(Command::new("/bin/sh").args(["-c", script]).exec().into()),
        None => standard_library(),
    }
}

/// seccompiler is in this test as a loader only: bundles holds no unsafe code.
fn of_loader(ours: &Instruction) -> seccompiler::sock_filter {
    seccompiler::sock_filter {
        code: ours.code,
        jt: ours.jt,
        jf: ours.jf,
        k: ours.k,
    }
}

/// What Rust's own library does, without any other program.
fn standard_library() -> Result<(), Box<dyn Error>> {
    let (mut one, mut other) = UnixStream::pair()?;
    one.write_all(b"x")?;
    other.read_exact(&mut [0])?;
    let refused = std::net::TcpListener::bind("127.0.0.1:0").expect_err("no network");
    assert_eq!(refused.raw_os_error(), i32::try_from(EAFNOSUPPORT).ok());
    assert_eq!(std::thread::spawn(|| 7).join().expect("a thread"), 7);
    assert!(Command::new("/bin/true").status()?.success());
    let status = std::fs::read_to_string("/proc/thread-self/status")?;
    assert!(
        status.contains("Seccomp:\t2") && status.contains("NoNewPrivs:\t1"),
        "{status}"
    );
    println!("all well");
    Ok(())
}

#[test]
fn rust_programs_run() {
    let output = run("std");
    assert!(
        output.status.success() && text(&output).contains("all well"),
        "{}",
        text(&output)
    );
}

/// perl's syscall() makes any call with any arguments. Those that should fail with an errno are made; if
/// the filter let one pass, its arguments are such that it couldn't do anything.
#[test]
fn the_kernel_agrees_with_the_simulation() {
    if !Path::new("/usr/bin/perl").exists() {
        eprintln!("skipped: no perl");
        return;
    }
    let filter = filter();
    let mut script = String::from("perl -e '");
    let mut expected = String::new();
    for (call, reason) in banned_calls() {
        let Decision::Errno(errno) = filter.decide(&call) else {
            continue;
        };
        let args: Vec<String> = call.args.iter().map(u64::to_string).collect();
        script += &format!(
            "$! = 0; $r = syscall({}, {}); print \"$r \", $!+0, \"\\n\";",
            call.nr,
            args.join(", ")
        );
        expected += &format!("-1 {errno}\n");
        assert!(errno == 1 || errno == 38 || errno == 97, "{reason}");
    }
    script += "'";
    assert!(expected.lines().count() > 50);
    let output = run(&format!("sh:{script}"));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let answers: String = printed
        .lines()
        .filter(|line| line.starts_with("-1 "))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(answers, expected, "{}", text(&output));
}

/// Program that must exist (else skipped), script, what its output contains.
const PROGRAMS: &[(&str, &str, &str)] = &[
    (
        "/bin/sh",
        "printf 'b\\na\\n' | sort | head -1 | tr a A; (sleep 0 & wait) && echo $(echo done)",
        "done",
    ),
    (
        "/usr/bin/perl",
        "perl -e 'print \"pid\\n\" if fork // die; wait; print `echo sub`'",
        "sub",
    ),
    ("/usr/bin/python3", PYTHON, "python done"),
    ("/usr/bin/cc", COMPILE, "compiled 42"),
    ("/usr/bin/glpsol", GLPK, "OPTIMAL"),
    ("/usr/bin/cbc", CBC, "Optimal objective"),
    (
        "/usr/bin/java",
        "java -XX:TieredStopAtLevel=1 -version 2>&1",
        "build",
    ),
];

const PYTHON: &str = r#"/usr/bin/python3 -c '
import multiprocessing, os, socket, sqlite3, subprocess, tempfile, threading
t = threading.Thread(target=lambda: None); t.start(); t.join()
assert subprocess.run(["/bin/echo", "x"], capture_output=True).stdout == b"x\n"
assert subprocess.run("exit 3", shell=True).returncode == 3
d = tempfile.TemporaryDirectory()
db = sqlite3.connect(os.path.join(d.name, "db"))
db.execute("create table t (x)"); db.execute("insert into t values (1)"); db.commit()
q = multiprocessing.get_context("fork").SimpleQueue()
p = multiprocessing.get_context("fork").Process(target=q.put, args=(5,)); p.start(); assert q.get() == 5; p.join()
a, b = socket.socketpair(); a.send(b"x"); assert b.recv(1) == b"x"
try: socket.socket(); raise SystemExit("network")
except OSError as e: assert e.errno == 97, e
os.mkfifo(os.path.join(d.name, "fifo"))
print("python", "done")'"#;

const COMPILE: &str = "d=$(mktemp -d) && cd $d && printf '#include <stdio.h>\\nint main(){printf(\"compiled %%d\\\\n\",42);}' > a.c && cc -O2 a.c -o a && ./a; rm -r $d";

const LP: &str = "Minimize\n obj: x + y\nSubject To\n c: x + 2 y >= 3\nBounds\n x <= 4\nEnd\n";
const GLPK: &str =
    "d=$(mktemp -d) && cd $d && printf '%s' \"$LP\" > a.lp && glpsol --lp a.lp -o out; rm -r $d";
const CBC: &str = "d=$(mktemp -d) && cd $d && printf '%s' \"$LP\" > a.lp && cbc a.lp solve solution out; rm -r $d";

#[test]
fn real_programs_run() {
    let mut failures = Vec::new();
    for (program, script, expected) in PROGRAMS {
        if !Path::new(program).exists() {
            eprintln!("skipped: no {program}");
            continue;
        }
        let output = run(&format!("sh:LP='{LP}'; {script}"));
        if !output.status.success() || !text(&output).contains(expected) {
            failures.push(format!("{program}: {}\n{}", output.status, text(&output)));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
