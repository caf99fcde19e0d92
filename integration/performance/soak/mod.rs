//! Many runs one after the other, many containers at once, a server's many calls, many users of an image: afterwards
//! descriptors, memory, mounts, cgroups, loop devices, zombies and state are what they were. A few here; with
//! `$OPT_SOAK_RUNS` and `$OPT_SOAK_HELD` as many as `hack/soak` asks for.

mod figures;

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use integration::{Bench, Probe, Server, opt_runtime, wait_until};
use nix::unistd::getpid;
use serde_json::json;

use figures::{Figures, Watch, head};

#[expect(dead_code, reason = "the tests of `shifter` use all of it")]
#[path = "../../tests/shifter_run/site.rs"]
mod site;

use site::Site;

/// What ends takes no longer than this to be gone.
const SOON: Duration = Duration::from_secs(30);

/// How much a server's memory may have grown at the end, KiB: what its allocator keeps, and no leak of a call's.
const GROWTH: u64 = 16 * 1024;

fn asked(variable: &str, few: usize) -> usize {
    std::env::var(variable).map_or(few, |text| text.parse().expect("a number"))
}

fn runs() -> usize {
    asked("OPT_SOAK_RUNS", 100)
}

/// A table of figures on standard output, and the comparison of the last with the first.
struct Table<'a> {
    watch: Watch<'a>,
    first: Figures,
}

impl<'a> Table<'a> {
    fn begun(what: &str, watch: Watch<'a>) -> Self {
        let mut first = watch.figures();
        // Another test's child may just have ended.
        first.own.zombies = 0;
        println!("\n{what}\n\n{}\n| start |{first}", head());
        Self { watch, first }
    }

    fn row(&self, when: &str) {
        println!("| {when} |{}", self.watch.figures());
    }

    /// Whether to print a row now: ten of them, or so.
    fn is_due(done: usize, of: usize) -> bool {
        done.is_multiple_of((of / 10).max(1)) && done < of
    }

    /// Fails unless all is as it was at the start.
    #[track_caller]
    fn ended(self) {
        let mut last = self.watch.figures();
        let began = std::time::Instant::now();
        while !last.own.is_as(&self.first.own) && began.elapsed() < SOON {
            std::thread::sleep(Duration::from_millis(50));
            last = self.watch.figures();
        }
        println!("| end |{last}\n");
        let is_flat = last.own.is_as(&self.first.own);
        assert!(
            is_flat,
            "{:?}, and at the start {:?}",
            last.own, self.first.own
        );
        let most = self.first.resident + GROWTH;
        assert!(last.resident <= most, "{} KiB, {most}", last.resident);
        self.watch.bench.assert_no_orphans();
    }
}

fn mark(what: &str) -> String {
    format!("soak-{what}-{}", getpid())
}

/// Runs `opt-runtime` with these words, and fails unless it ends with 0. Nothing of it is kept.
#[track_caller]
fn quietly(bench: &Bench, words: &[&str]) {
    let status = Command::new(opt_runtime())
        .arg("--root")
        .arg(bench.root())
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .status()
        .expect("start opt-runtime");
    assert!(status.success(), "{words:?}: {status}");
}

#[test]
fn runs_one_after_the_other_leave_all_as_it_was() {
    let bench = Bench::new();
    let bundle = bench.sealed("bundle", &Probe::on(&bench).command(), &["ids"]);
    let bundle = bundle.directory.display().to_string();
    let mark = mark("run");
    let run = |number: usize| {
        let id = format!("{mark}-{number}");
        quietly(&bench, &["run", "--bundle", &bundle, &id]);
    };
    run(0);
    let table = Table::begun(
        &format!("{} runs of a sealed bundle, one after the other", runs()),
        Watch {
            bench: &bench,
            mark: &mark,
            process: None,
        },
    );
    for number in 1..=runs() {
        run(number);
        if Table::is_due(number, runs()) {
            table.row(&format!("{number} runs"));
        }
    }
    table.ended();
}

#[test]
fn containers_held_at_once_leave_all_as_it_was() {
    let held = asked("OPT_SOAK_HELD", 20);
    let bench = Bench::new();
    let command = Probe::on(&bench).command();
    let mark = mark("held");
    let bundles: Vec<String> = (0..held)
        .map(|number| {
            let made = bench.sealed(&format!("bundle{number}"), &command, &["catch"]);
            made.directory.display().to_string()
        })
        .collect();
    let table = Table::begun(
        &format!("{held} sealed containers at once"),
        Watch {
            bench: &bench,
            mark: &mark,
            process: None,
        },
    );
    let ids: Vec<String> = (0..held).map(|number| format!("{mark}-{number}")).collect();
    for (number, (id, bundle)) in ids.iter().zip(&bundles).enumerate() {
        quietly(&bench, &["create", "--bundle", bundle, id]);
        quietly(&bench, &["start", id]);
        if Table::is_due(number + 1, held) {
            table.row(&format!("{} held", number + 1));
        }
    }
    table.row(&format!("{held} held"));
    let all = table.watch.figures().own;
    assert!(all.states == held && all.cgroups >= held, "{all:?}");
    for id in &ids {
        bench
            .runtime()
            .args(["state", id])
            .expect(0)
            .says("running");
    }
    for id in &ids {
        quietly(&bench, &["delete", "--force", id]);
    }
    table.ended();
}

#[test]
fn a_servers_calls_leave_it_as_it_was() {
    const AT_ONCE: usize = 4;
    let bench = Bench::new();
    let function = json!({
        "command": "busybox",
        "arguments": ["sh", "-c", "echo done > result.json"],
        "outputs": [{ "id": "result", "path": "result.json" }],
    });
    let settings = json!({ "max-running": AT_ONCE, "max-queued": 100 });
    let server = Server::start(&bench, &[("one", function)], &settings);
    let keys: Vec<String> = (0..AT_ONCE)
        .map(|number| server.add_key(&[&format!("key{number}")]))
        .collect();
    let call = |key: &str| {
        let path = server.create("one", key);
        server.post(&format!("{path}/start"), key, b"").ok();
        let ended = server.wait_for_end(&path, key);
        assert_eq!(ended["exit_code"], json!(0), "{ended}");
        server.ask("DELETE", &path, key, b"").ok();
    };
    let rest = |server: &Server| {
        wait_until("it is at rest", SOON, || {
            let executions = integration::host::names_in(&server.state().join("executions"));
            executions.is_empty() && bench.state_names().is_empty() && server.runs().is_empty()
        });
    };
    // What it makes once, a connection or a thread, it has by then.
    for key in keys.iter().cycle().take(20) {
        call(key);
    }
    rest(&server);
    let mark = mark("server");
    let table = Table::begun(
        &format!("{} calls of a server's, {AT_ONCE} at once", runs()),
        Watch {
            bench: &bench,
            mark: &mark,
            process: Some(server.pid()),
        },
    );
    let done = AtomicUsize::new(0);
    let (call, done) = (&call, &done);
    std::thread::scope(|scope| {
        for key in &keys {
            scope.spawn(move || {
                while done.fetch_add(1, Ordering::Relaxed) < runs() {
                    call(key);
                }
            });
        }
        let mut told = 0;
        while done.load(Ordering::Relaxed) < runs() {
            std::thread::sleep(Duration::from_millis(100));
            let now = done.load(Ordering::Relaxed).min(runs());
            if now - told >= (runs() / 10).max(1) {
                table.row(&format!("{now} calls"));
                told = now;
            }
        }
    });
    rest(&server);
    table.ended();
}

#[test]
fn users_of_a_shared_image_leave_all_as_it_was() {
    let runs = (runs() / 10).max(10);
    let site = Site::new("");
    site.image("packed", "squashfs");
    let mark = mark("image");
    let tool = || {
        site.tool("", "1234:1234")
            .arg("--image=packed")
            .arg("-w=/home/user")
    };
    tool().arg("true").expect(0);
    let at_rest = || {
        wait_until("no image is in use", SOON, || {
            integration::host::names_in(&site.path("node")).is_empty()
        });
    };
    at_rest();
    let table = Table::begun(
        &format!("{runs} users of one squashfs image, in turns alone and two at once"),
        Watch {
            bench: &site.bench,
            mark: &mark,
            process: None,
        },
    );
    for number in 1..=runs {
        let other = number.is_multiple_of(2).then(|| {
            let waiting = ["sh", "-c", "echo ready; read end"];
            let mut other = tool().args(waiting).start();
            other.wait_for("ready");
            other
        });
        tool().arg("true").expect(0);
        if Table::is_due(number, runs) {
            table.row(&format!("{number} users"));
        }
        if let Some(other) = other {
            other.finish();
        }
    }
    at_rest();
    table.ended();
}
