//! Sandboxes that are ready before anybody asks: as good as those that are made for one execution, and never used
//! for a second one.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use integration::{Bench, Server, host, wait_until};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::{SOON, assert_nothing_left, run, shell, waits_for};

const BUSYBOX: &str = "/usr/bin/busybox";

/// A command with as many ready sandboxes.
fn pooled(name: &str, pool: u32) -> Value {
    json!({ "name": name, "executable": BUSYBOX, "x-opt-runtime": { "pool": pool } })
}

/// A function of busybox's shell as the command `command`.
fn script(command: &str, script: &str) -> Value {
    let mut function = shell(script);
    function["command"] = json!(command);
    function
}

/// A server with these commands, and keys for its functions and its metrics.
struct Pooled {
    server: Server,
    key: String,
    reader: String,
}

impl Pooled {
    fn start(bench: &Bench, commands: &Value, functions: &[(&str, Value)]) -> Self {
        Self::with(bench, commands, functions, &json!({ "max-running": 2 }))
    }

    fn with(
        bench: &Bench,
        commands: &Value,
        functions: &[(&str, Value)],
        settings: &Value,
    ) -> Self {
        let state = bench.path("server");
        let server = Server::start_for(bench, &state, commands, functions, settings, &[]);
        let key = server.add_key(&["tester"]);
        let reader = server.add_key(&["prometheus", "--metrics"]);
        Self {
            server,
            key,
            reader,
        }
    }

    /// What the metric `name` says.
    fn metric(&self, name: &str) -> u64 {
        let text = self.server.get("/metrics", &self.reader).text();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("opt_server_{name} ")));
        line.unwrap_or_else(|| panic!("no {name}:\n{text}"))
            .parse()
            .expect("a number")
    }

    /// Waits until as many sandboxes are ready.
    #[track_caller]
    fn waits_until_ready(&self, count: u64) {
        wait_until("the pool is full", SOON, || {
            self.metric("pool_ready") == count
        });
    }

    /// Runs a function to its end: its log, and the last answer.
    #[track_caller]
    fn run(&self, function: &str) -> (String, Value) {
        let (path, ended) = run(&self.server, function, &self.key, None);
        let log = self.server.get(&path, &self.key).ok()["log"].clone();
        (log.as_str().expect("a log").to_owned(), ended)
    }

    /// Likewise in a sandbox that is ready.
    #[track_caller]
    fn run_from_pool(&self, function: &str) -> (String, Value) {
        self.waits_until_ready(1);
        let (log, ended) = self.run(function);
        assert_eq!(ended["report"]["from_pool"], true, "{ended}\n{log}");
        (log, ended)
    }

    /// The guardian and the worker of the one sandbox that is ready.
    fn stand_by(&self) -> (i32, i32) {
        let pids = self.server.ready();
        let is_first = |pid: &&i32| !pids.iter().any(|other| is_parent(*other, **pid));
        let guardian = *pids.iter().find(is_first).expect("a guardian");
        (guardian, host::child_of(guardian))
    }

    fn begin(&self, function: &str) -> String {
        let path = self.server.create(function, &self.key);
        let started = format!("{path}/start");
        self.server.post(&started, &self.key, b"").ok();
        path
    }
}

/// What a command can see of its sandbox.
const FACTS: &str = "\
    pwd; id; env | sort; ls -A /project /tmp /dev/shm; \
    for f in / /* /dev/* /project/* /usr/* /usr/bin/*; do stat -c '%A %u %g %n %t %T' $f; done; \
    grep -E '^(Name|Umask|State|Tgid|Pid|PPid|Uid|Gid|FDSize|Groups|NS|Sig|Shd|Cap|NoNew|Secc|Spec|Cpus)' /proc/self/status; \
    cat /proc/self/limits /proc/self/uid_map /proc/self/gid_map /proc/1/comm /proc/self/oom_score_adj /proc/self/mountinfo; \
    ls -l /proc/self/fd | sed 's/.* //; s/[0-9][0-9]*/N/'; readlink /proc/self/cwd /proc/self/root /proc/self/exe; \
    readlink /proc/self/ns/*; tr -d '\\0' < /proc/1/cmdline; ps; cat data.txt; echo to stderr >&2; echo again; \
    echo made > result.json; mkdir made; ls -n result.json | sed 's/ [A-Z].* / /'; exit 7";

/// Numbers that differ from sandbox to sandbox taken out, and its mounts in one order.
fn normalised(log: &str) -> Vec<String> {
    let mut mounts = BTreeSet::new();
    let mut lines: Vec<String> = vec![];
    for line in log.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if let Some(dash) = words
            .iter()
            .position(|word| *word == "-")
            .filter(|at| *at >= 6)
        {
            // Ids of mounts, devices, and where the bundle and the project are on the host.
            let root = words[3].rsplit('/').next().expect("a name");
            mounts.insert(
                [&[root], &words[4..dash], &words[dash..]]
                    .concat()
                    .join(" "),
            );
            continue;
        }
        // Namespaces and id maps.
        let named = line.split_once(":[").map(|(name, _)| name.to_owned());
        lines.push(named.unwrap_or_else(|| line.to_owned()));
    }
    lines.extend(mounts);
    let ids = |line: String| {
        let is_id = |word: &str| {
            word.parse()
                .is_ok_and(|id: u64| (0x7000_0000..1 << 31).contains(&id))
        };
        line.split_inclusive([' ', '=', ',', '\t'])
            .map(|word| {
                let number = word.trim_end_matches([' ', '=', ',', '\t']);
                if is_id(number) {
                    word.replace(number, "ID")
                } else {
                    word.to_owned()
                }
            })
            .collect()
    };
    lines.into_iter().map(ids).collect()
}

#[test]
fn a_ready_sandbox_is_what_one_made_for_the_execution_is() {
    let bench = Bench::new();
    let commands = json!([pooled("pooled", 1), pooled("plain", 0)]);
    let functions = [
        ("plain", script("plain", FACTS)),
        ("pooled", script("pooled", FACTS)),
    ];
    let pool = Pooled::start(&bench, &commands, &functions);
    pool.waits_until_ready(1);
    let [plain, ready] = ["plain", "pooled"].map(|function| {
        let (path, ended) = run(&pool.server, function, &pool.key, Some(b"the input\n"));
        assert_eq!(ended["exit_code"], 7, "{ended}");
        assert_eq!(
            ended["report"]["from_pool"],
            function == "pooled",
            "{ended}"
        );
        let log = pool.server.get(&path, &pool.key).ok()["log"].clone();
        let id = path.rsplit('/').next().expect("an id");
        let project = pool
            .server
            .state()
            .join("executions")
            .join(id)
            .join("project");
        let owners = ["", "data.txt", "result.json", "made"].map(|name| {
            let metadata = fs::symlink_metadata(project.join(name)).expect(name);
            (metadata.uid(), metadata.gid(), metadata.mode())
        });
        let result = pool.server.get(&format!("{path}/output/result"), &pool.key);
        assert_eq!(result.text(), "made\n");
        let log = log.as_str().expect("a log").to_owned();
        (normalised(&log), owners, ended["report"]["limits"].clone())
    });
    // That there is something to compare.
    let text = ready.0.join("\n");
    for fact in [
        "the input",
        "to stderr\nagain",
        "/project",
        "NoNewPrivs:\t1",
        "Max cpu time",
        "idmapped",
    ] {
        assert!(text.contains(fact), "no {fact}:\n{text}");
    }
    for (plain, ready) in std::iter::zip(&plain.0, &ready.0) {
        assert_eq!(plain, ready);
    }
    assert_eq!(plain, ready);
}

#[test]
fn standard_output_and_standard_error_of_a_command_line_stay_apart() {
    let bench = Bench::new();
    let pool = Pooled::start(&bench, &json!([pooled("pooled", 1)]), &[]);
    let key = pool.server.add_key(&["lines", "--commands"]);
    pool.waits_until_ready(1);
    let line = "/v1/commands/pooled?arg=sh&arg=-c&arg=echo%20out;echo%20err%3e%262";
    let events = pool.server.post(line, &key, b"").text();
    for part in [
        "event: stdout\ndata: {\"from\":0,\"next\":4,\"text\":\"out\\n\"}",
        "event: stderr\ndata: {\"from\":0,\"next\":4,\"text\":\"err\\n\"}",
        "\"from_pool\":true",
    ] {
        assert!(events.contains(part), "no {part}: {events}");
    }
}

#[test]
fn each_is_used_once_and_what_was_done_in_one_reaches_no_other() {
    let bench = Bench::new();
    let hostile = "\
        ls -A /tmp /dev/shm /project; ps | grep -v -e ps -e grep -e 'sh -c' -e init; \
        echo x > /tmp/mark; echo x > /dev/shm/mark; echo x > mark; mkdir /tmp/d; chmod 777 /tmp/d; \
        (setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' &) ; cd /tmp; exit 0";
    let commands = json!([pooled("pooled", 1)]);
    let functions = [
        ("hostile", script("pooled", hostile)),
        ("sleeper", script("pooled", "echo ready; sleep 600")),
    ];
    let pool = Pooled::start(&bench, &commands, &functions);
    let mut workers = BTreeSet::new();
    let mut logs = vec![];
    for _ in 0..3 {
        pool.waits_until_ready(1);
        workers.extend(pool.server.ready());
        logs.push(pool.run_from_pool("hostile").0);
    }
    assert!(workers.len() >= 6, "two processes each: {workers:?}");
    let fresh = "/dev/shm:\n\n/project:\n\n/tmp:\n";
    for log in logs {
        let begin: String = log
            .lines()
            .take(6)
            .map(|line| format!("{line}\n"))
            .collect();
        assert!(begin.starts_with(fresh), "{log}");
        assert!(!log.contains("mark") && !log.contains("sleep"), "{log}");
    }
    // Two at once, both from the pool, share nothing that has a name.
    let running: Vec<String> = (0..2)
        .map(|_| {
            pool.waits_until_ready(1);
            let path = pool.begin("sleeper");
            waits_for(&pool.server, &path, &pool.key, "ready");
            path
        })
        .collect();
    let sleepers = host::processes(|shown| shown.contains("sleep 600"));
    let pids = sleepers.iter().filter_map(|line| line.split(' ').next());
    let of_ours: Vec<&str> = pids
        .filter(|pid| {
            let root = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
            root.contains(&bench.root().display().to_string())
        })
        .collect();
    for file in [
        "ns/pid",
        "ns/mnt",
        "ns/user",
        "ns/ipc",
        "ns/net",
        "ns/cgroup",
        "ns/uts",
    ] {
        let seen: BTreeSet<_> = of_ours
            .iter()
            .map(|pid| fs::read_link(format!("/proc/{pid}/{file}")).expect(file))
            .collect();
        assert_eq!(seen.len(), 2, "{file} of {of_ours:?}");
    }
    for file in ["cgroup", "uid_map"] {
        let seen: BTreeSet<_> = of_ours
            .iter()
            .map(|pid| fs::read_to_string(format!("/proc/{pid}/{file}")).expect(file))
            .collect();
        assert_eq!(seen.len(), 2, "{file} of {of_ours:?}");
    }
    for path in running {
        pool.server
            .post(&format!("{path}/stop"), &pool.key, b"")
            .ok();
        assert_eq!(
            pool.server.wait_for_end(&path, &pool.key)["state"],
            "stopped"
        );
    }
}

#[test]
fn no_pool_is_no_pool() {
    let bench = Bench::new();
    let functions = [("f", script("busybox", "echo done"))];
    let pool = Pooled::start(&bench, &json!([pooled("busybox", 0)]), &functions);
    let (_, ended) = pool.run("f");
    assert_eq!(ended["report"]["from_pool"], false, "{ended}");
    for metric in ["pool_ready", "pool_used_total", "pool_missed_total"] {
        assert_eq!(pool.metric(metric), 0, "{metric}");
    }
    assert!(pool.server.ready().is_empty());
}

#[test]
fn a_burst_beyond_the_pool_is_served_all_the_same() {
    let bench = Bench::new();
    let functions = [("f", script("busybox", "cat data.txt; sleep 0.3"))];
    let settings = json!({ "max-running": 6, "max-ready": 1 });
    let pool = Pooled::with(
        &bench,
        &json!([pooled("busybox", 4)]),
        &functions,
        &settings,
    );
    pool.waits_until_ready(1);
    let paths: Vec<String> = (0..12)
        .map(|number| {
            let path = pool.server.create("f", &pool.key);
            let input = format!("number {number}\n");
            let upload = format!("{path}/input/data");
            pool.server.post(&upload, &pool.key, input.as_bytes()).ok();
            path
        })
        .collect();
    for path in &paths {
        pool.server
            .post(&format!("{path}/start"), &pool.key, b"")
            .ok();
    }
    for (number, path) in paths.iter().enumerate() {
        let ended = pool.server.wait_for_end(path, &pool.key);
        assert_eq!(ended["exit_code"], 0, "{ended}");
        let log = pool.server.get(path, &pool.key).ok()["log"].clone();
        assert_eq!(log, format!("number {number}\n"));
        assert!(pool.metric("pool_ready") <= 1, "more than max-ready");
    }
    let used = pool.metric("pool_used_total");
    assert!(used >= 1);
    assert_eq!(used + pool.metric("pool_missed_total"), 12);
    // It fills up again.
    pool.waits_until_ready(1);
    let (_, ended) = run(&pool.server, "f", &pool.key, Some(b"x"));
    assert_eq!(ended["report"]["from_pool"], true, "{ended}");
}

#[test]
fn ids_that_executions_need_are_not_kept_by_the_pool() {
    let bench = Bench::new();
    let functions = [("f", script("busybox", "echo done"))];
    let server = Pooled::start(&bench, &json!([pooled("busybox", 4)]), &functions);
    server.waits_until_ready(4);
    let config = server.server.site().join("config.json");
    // Enough for two executions at once, which is what may run.
    let few = json!({
        "commands": [pooled("busybox", 4)],
        "x-opt-runtime": { "identity": { "first-id": 3_000_000_000_u32, "ids": 128 } },
    });
    fs::write(&config, few.to_string()).expect("write");
    server.server.signal(Signal::SIGHUP);
    server.server.logs("configuration read again");
    server.waits_until_ready(0);
    let (log, ended) = server.run("f");
    assert_eq!(log, "done\n", "{ended}");
    assert_eq!(ended["report"]["from_pool"], false, "{ended}");
}

#[test]
fn a_new_configuration_has_new_ones() {
    let bench = Bench::new();
    let saying = |word: &str| {
        let mut command = pooled("busybox", 2);
        command["environment-variables"] = json!({ "WORD": word });
        json!([command])
    };
    let functions = [("f", script("busybox", "echo $WORD"))];
    let pool = Pooled::start(&bench, &saying("old"), &functions);
    pool.waits_until_ready(2);
    let before = pool.server.ready();
    let config = pool.server.site().join("config.json");
    let new = json!({ "commands": saying("new") });
    fs::write(config, new.to_string()).expect("write");
    pool.server.signal(Signal::SIGHUP);
    pool.server.logs("configuration read again");
    // At once, whatever is ready by then.
    assert_eq!(pool.run("f").0, "new\n");
    wait_until("the old ones are gone", SOON, || {
        pool.server.ready().iter().all(|pid| !before.contains(pid))
    });
    pool.waits_until_ready(2);
    let (log, ended) = pool.run("f");
    assert_eq!(
        (log.as_str(), &ended["report"]["from_pool"]),
        ("new\n", &json!(true))
    );
}

#[test]
fn one_that_shows_files_which_were_replaced_is_not_used() {
    let bench = Bench::new();
    let data = bench.file("data", "old");
    let mut command = pooled("busybox", 1);
    command["mount-readable"] = json!([data]);
    let show = format!("cat {}", data.display());
    let functions = [("f", script("busybox", &show))];
    let pool = Pooled::start(&bench, &json!([command]), &functions);
    assert_eq!(pool.run_from_pool("f").0, "old");
    pool.waits_until_ready(1);
    let new = bench.file("new", "new");
    fs::rename(new, &data).expect("rename");
    let (log, ended) = pool.run("f");
    assert_eq!(
        (log.as_str(), &ended["report"]["from_pool"]),
        ("new", &json!(false))
    );
    assert_eq!(pool.run_from_pool("f").0, "new");
}

#[test]
fn limits_hold_in_a_ready_sandbox() {
    let bench = Bench::new();
    let mut command = pooled("busybox", 1);
    command["x-opt-runtime"]["limits"] = json!({ "max-wall-time": 2, "max-processes": 20 });
    let functions = [
        (
            "hog",
            script("busybox", "x=abcdefgh; while :; do x=$x$x; done"),
        ),
        (
            "sleeper",
            script("busybox", "trap '' TERM; while :; do sleep 1; done"),
        ),
        ("flood", script("busybox", "yes")),
        (
            "forks",
            script("busybox", "f() { f | f & sleep 1; }; f; sleep 2"),
        ),
        ("kept", script("busybox", "ulimit -a; echo fine")),
    ];
    let settings = json!({ "max-output-mb": 1, "grace-seconds": 1 });
    let pool = Pooled::with(&bench, &json!([command]), &functions, &settings);
    let small = pool.server.add_key(&["small", "--max-memory", "24"]);
    for (function, limit) in [
        ("hog", "memory"),
        ("sleeper", "wall-time"),
        ("flood", "output"),
        ("forks", "processes"),
    ] {
        pool.waits_until_ready(1);
        // The key's limit isn't the one that the sandbox was made with.
        let (_, ended) = run(&pool.server, function, &small, None);
        let report = &ended["report"];
        assert_eq!(
            (&report["limit"], &report["from_pool"]),
            (&json!(limit), &json!(true)),
            "{ended}"
        );
    }
    pool.waits_until_ready(1);
    let (_, ended) = run(&pool.server, "kept", &small, None);
    assert_eq!(ended["report"]["status"], "ok", "{ended}");
    assert_eq!(ended["report"]["limits"]["max-memory"], 24, "{ended}");
}

#[test]
fn limits_of_a_user_group_hold_in_a_ready_sandbox_or_one_that_is_made() {
    let bench = Bench::new();
    let functions = [
        (
            "hog",
            script("busybox", "x=abcdefgh; while :; do x=$x$x; done"),
        ),
        (
            "full",
            script(
                "busybox",
                "dd if=/dev/zero of=/tmp/x bs=64k count=100; exit 1",
            ),
        ),
    ];
    let pool = Pooled::start(&bench, &json!([pooled("busybox", 1)]), &functions);
    let config = json!({
        "commands": [pooled("busybox", 1)],
        "x-opt-runtime": { "user-groups": {
            "small": { "users": ["ann"], "limits": { "max-memory": 24 } },
            "tidy": { "users": ["eve"], "limits": { "scratch-size": 1_048_576 } },
        } },
    });
    let file = pool.server.site().join("config.json");
    fs::write(file, config.to_string()).expect("write");
    pool.server.signal(Signal::SIGHUP);
    pool.server.logs("configuration read again");
    // Its memory can be limited afterwards; the size of its /tmp can't.
    for (user, function, limit, from_pool) in [
        ("ann", "hog", "memory", true),
        ("eve", "full", "scratch", false),
    ] {
        let key = pool.server.add_key(&[user]);
        pool.waits_until_ready(1);
        let (_, ended) = run(&pool.server, function, &key, None);
        let report = &ended["report"];
        assert_eq!(report["limit"], limit, "{ended}");
        assert_eq!(report["from_pool"], from_pool, "{ended}");
    }
}

#[test]
fn one_that_is_gone_is_done_without() {
    let bench = Bench::new();
    let functions = [("f", script("busybox", "echo done"))];
    let pool = Pooled::start(&bench, &json!([pooled("busybox", 1)]), &functions);
    for kills_guardian in [true, false] {
        pool.waits_until_ready(1);
        let (guardian, worker) = pool.stand_by();
        host::kill(if kills_guardian { guardian } else { worker });
        let (log, ended) = pool.run("f");
        assert_eq!(
            (log.as_str(), &ended["state"]),
            ("done\n", &json!("ended")),
            "{ended}"
        );
    }
    pool.run_from_pool("f");
    pool.server.signal(Signal::SIGTERM);
}

fn is_parent(pid: i32, child: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
    status.lines().any(|line| line == format!("PPid:\t{pid}"))
}

#[test]
fn nothing_that_was_ready_outlives_the_server() {
    let bench = Bench::new();
    let functions = [("f", script("busybox", "echo done"))];
    let mut pool = Pooled::start(&bench, &json!([pooled("busybox", 3)]), &functions);
    pool.waits_until_ready(3);
    let made = pool.server.ready();
    assert_eq!(
        made.len(),
        9,
        "a guardian, a worker and a first process each"
    );
    pool.server.kill();
    wait_until("they are gone", SOON, || pool.server.ready().is_empty());
    assert_nothing_left(&bench, pool.server.state());
    pool.server.start_again();
    pool.waits_until_ready(3);
    pool.server.signal(Signal::SIGTERM);
    assert_eq!(pool.server.wait(), Some(0));
    wait_until("they are gone", SOON, || pool.server.ready().is_empty());
    assert_nothing_left(&bench, pool.server.state());
}

#[test]
fn what_runs_in_one_goes_on_while_the_server_is_dead_and_is_found_again() {
    let bench = Bench::new();
    let going_on = "echo begun; sleep 1.5; echo done; echo 1 > result.json; exit 3";
    let functions = [
        ("f", script("busybox", going_on)),
        ("sleeper", script("busybox", "echo begun; sleep 600")),
    ];
    let mut pool = Pooled::start(&bench, &json!([pooled("busybox", 1)]), &functions);
    let mut begin = |function: &str| {
        pool.waits_until_ready(1);
        let path = pool.begin(function);
        waits_for(&pool.server, &path, &pool.key, "begun");
        path
    };
    let [first, second] = ["f", "sleeper"].map(&mut begin);
    pool.server.kill();
    pool.server.start_again();
    let ended = pool.server.wait_for_end(&first, &pool.key);
    assert_eq!(ended["exit_code"], 3, "{ended}");
    assert_eq!(ended["report"]["from_pool"], true, "{ended}");
    let running = pool.server.get(&second, &pool.key).ok();
    assert_eq!(running["state"], "running", "{running}");
    pool.server
        .post(&format!("{second}/stop"), &pool.key, b"")
        .ok();
    let stopped = pool.server.wait_for_end(&second, &pool.key);
    assert_eq!(stopped["state"], "stopped", "{stopped}");
    assert_eq!(stopped["report"]["status"], "stopped", "{stopped}");
}

#[test]
fn a_server_killed_at_any_moment_runs_everything_once() {
    let bench = Bench::new();
    let functions = [(
        "f",
        script(
            "busybox",
            "cat data.txt; echo ran >> result.json; sleep 0.1",
        ),
    )];
    let mut pool = Pooled::start(&bench, &json!([pooled("busybox", 1)]), &functions);
    let mut paths = vec![];
    for round in 0..10 {
        pool.waits_until_ready(1);
        let path = pool.server.create("f", &pool.key);
        let upload = format!("{path}/input/data");
        pool.server.post(&upload, &pool.key, path.as_bytes()).ok();
        pool.server
            .post(&format!("{path}/start"), &pool.key, b"")
            .ok();
        paths.push(path);
        std::thread::sleep(Duration::from_millis(round * 3 % 20));
        pool.server.kill();
        pool.server.start_again();
    }
    for path in &paths {
        let ended = pool.server.wait_for_end(path, &pool.key);
        assert_eq!(ended["state"], "ended", "{ended}");
        let log = pool.server.get(path, &pool.key).ok()["log"].clone();
        assert_eq!(log, **path, "{ended}");
        let result = pool.server.get(&format!("{path}/output/result"), &pool.key);
        assert_eq!(result.text(), "ran\n", "{ended}");
        pool.server.ask("DELETE", path, &pool.key, b"").ok();
    }
    pool.server.signal(Signal::SIGTERM);
    pool.server.wait();
    assert_nothing_left(&bench, pool.server.state());
}

#[test]
fn a_supervisor_that_is_killed_is_reported() {
    let bench = Bench::new();
    let functions = [("f", script("busybox", "echo begun; sleep 600"))];
    let pool = Pooled::start(&bench, &json!([pooled("busybox", 1)]), &functions);
    pool.waits_until_ready(1);
    let (_, worker) = pool.stand_by();
    let path = pool.begin("f");
    waits_for(&pool.server, &path, &pool.key, "begun");
    host::kill(worker);
    let ended = pool.server.wait_for_end(&path, &pool.key);
    assert_eq!(ended["report"]["status"], "stopped", "{ended}");
    assert_eq!(ended["report"]["signal"], "SIGKILL", "{ended}");
}
