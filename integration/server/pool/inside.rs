//! What is in a ready sandbox: the same as in one that is made for its execution, and nothing of another's.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;

use integration::{Bench, host};
use serde_json::json;

use super::{Pooled, pooled, script};
use crate::{run, waits_for};

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
