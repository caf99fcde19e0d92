//! `dist/opt-server.service` under systemd: the server starts as it stands there, with all that the unit takes from it,
//! its sandboxes are what they are elsewhere, and it ends without them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use integration::https::{Answer, Client};
use integration::service::{PATIENCE, Service, status};
use integration::{Bench, Tool, host, opt_server, require_program, under_systemd, wait_until};
use serde_json::{Value, json};

/// The unit, with names of this test's own: installed, and taken away when dropped.
struct Unit {
    // Its directory is there as long as the unit.
    _bench: Bench,
    service: Service,
    client: Option<Client>,
    key: String,
}

impl Unit {
    fn install(functions: &[(&str, Value)]) -> Self {
        require_program("/usr/bin/busybox", "busybox-static");
        let bench = Bench::new();
        let site = bench.directory("site");
        let commands = json!([{ "name": "busybox", "executable": "/usr/bin/busybox" }]);
        bench.file(
            "site/config.json",
            json!({ "server-name": "A unit's", "commands": commands }).to_string(),
        );
        bench.directory("site/functions");
        for (name, function) in functions {
            bench.file(&format!("site/functions/{name}.json"), function.to_string());
        }
        let unit = Self {
            service: Service {
                name: format!("opt-server-test-{}", std::process::id()),
                log: bench.path("log"),
            },
            _bench: bench,
            client: None,
            key: String::new(),
        };
        unit.service.install(&unit.text(&site));
        unit
    }

    /// The runtime's state directory.
    fn root(&self) -> PathBuf {
        Path::new("/run").join(&self.service.name)
    }

    /// The project's unit, but for its names and for where it logs.
    fn text(&self, site: &Path) -> String {
        let shown = |path: PathBuf| path.display().to_string();
        let arguments = format!(
            " {} --root {} --listen 127.0.0.1:0\nStandardError=append:{}\n",
            shown(self.service.state()),
            shown(self.root()),
            shown(self.service.log.clone()),
        );
        let name = &self.service.name;
        let changes = [
            (" /var/lib/opt-server\n", arguments),
            ("/usr/bin/opt-server", shown(opt_server())),
            (
                "/etc/opt-server/config.json",
                shown(site.join("config.json")),
            ),
            (
                "StateDirectory=opt-server\n",
                format!("StateDirectory={name}\n"),
            ),
            (
                "RuntimeDirectory=opt-runtime\n",
                format!("RuntimeDirectory={name}\n"),
            ),
        ];
        Service::text("opt-server.service", changes)
    }

    fn start(&mut self) {
        self.service.start();
        self.find();
    }

    /// Asks from now on where its log said last that it listens.
    fn find(&mut self) {
        let certificate = self.service.state().join("certificate.pem");
        self.client = Some(Client::new(&self.service.address(), &certificate));
    }

    fn add_key(&mut self) {
        let keys = Tool::new(opt_server())
            .args(["keys", "--state"])
            .arg(self.service.state())
            .args(["add", "tester", "--max-memory", "64"]);
        self.key = keys.limit(PATIENCE).expect(0).stdout.trim().to_owned();
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str) -> Answer {
        let key = format!("Bearer {}", self.key);
        let client = self.client.as_ref().expect("it was started");
        client
            .try_ask(method, path, &[("authorization", &key)], b"")
            .unwrap_or_else(|error| panic!("{method} {path}: {error}\n{}", self.service.logged()))
    }

    /// Starts a function: its execution's path.
    #[track_caller]
    fn begin(&self, function: &str) -> String {
        let path = format!("/local/{function}/executions");
        let created = self.ask("POST", &path).ok();
        let path = format!("{path}/{}", created["id"].as_str().expect("an id"));
        self.ask("POST", &format!("{path}/start")).ok();
        path
    }

    /// The last answer about an execution.
    #[track_caller]
    fn end(&self, path: &str) -> Value {
        let mut last = Value::Null;
        wait_until(&format!("{path} ends"), PATIENCE, || {
            last = self.ask("GET", &format!("{path}?include_log=false")).ok();
            last["status"] == "ended"
        });
        last
    }

    /// What an execution has printed so far.
    #[track_caller]
    fn printed(&self, path: &str) -> String {
        let id = path.rsplit('/').next().expect("an id");
        self.ask("GET", &format!("/v1/executions/{id}/output/stdout"))
            .text()
    }

    /// The processes that run executions of it.
    fn runs(&self) -> Vec<String> {
        let state = self.service.state().display().to_string();
        host::processes(|shown| shown.contains(" run ") && shown.contains(&state))
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        self.service.show_where_a_test_fails();
        // What runs outlives a stop; not a kill of all that is in its cgroup.
        for arguments in [&["stop"][..], &["kill", "--signal=SIGTERM"]] {
            self.service.try_systemctl(arguments);
        }
        for _ in 0..500 {
            if self.runs().is_empty() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.service.uninstall();
        for directory in [self.service.state(), self.root()] {
            let _ = fs::remove_dir_all(directory);
        }
    }
}

/// A function of busybox's shell.
fn shell(script: &str) -> Value {
    json!({
        "command": "busybox",
        "arguments": ["sh", "-c", script],
        "outputs": [{ "id": "result", "path": "result.txt" }],
    })
}

/// What works in a sandbox, whoever started the server.
const LOOK: &str = "
    echo x >/tmp/x && echo y >/dev/shm/y && echo z >/dev/null && head -c 4 /dev/urandom >result.txt && echo writes
    umask
    hostname
";

/// Runs until it is told to end, and not for ever.
const LONG: &str = "
    echo begun
    while [ ! -e end ] && [ $((n += 1)) -lt 300 ]; do sleep 1; done
    echo done
";

/// One unit for all: it takes its time to start.
#[test]
fn the_unit_serves_and_ends_and_what_runs_goes_on() {
    under_systemd(serves_and_ends);
}

fn serves_and_ends() {
    let mut unit = Unit::install(&[
        ("look", shell(LOOK)),
        ("hog", shell("exec tail /dev/zero")),
        ("long", shell(LONG)),
    ]);
    unit.start();
    unit.add_key();

    // The unit's restrictions hold.
    let pid = unit.service.pid();
    assert_eq!(status(pid, "NoNewPrivs"), "1");
    assert_eq!(status(pid, "Seccomp"), "2");
    assert_ne!(status(pid, "CapBnd"), status(1, "CapBnd"));
    // What covers a part of /proc keeps user namespaces from mounting one of their own. Old systemds leave a whole
    // one below the root, newer ones don't.
    let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).expect("mountinfo");
    assert!(
        !mounts.contains(" /proc/kmsg ") && !mounts.contains(" /proc/sys "),
        "{mounts}"
    );

    // And so does what a sandbox promises.
    let look = unit.begin("look");
    let ended = unit.end(&look);
    assert_eq!(ended["exit_code"], 0, "{ended}");
    assert_eq!(unit.printed(&look), "writes\n0022\nsandbox\n");
    let ended = unit.end(&unit.begin("hog"));
    assert_eq!(ended["report"]["limit"], "memory", "{ended}");

    // What the administrator does.
    unit.service.systemctl(&["reload", &unit.service.name]);
    wait_until("it reads its configuration again", PATIENCE, || {
        unit.service.logged().contains("configuration read again")
    });
    assert_eq!(unit.service.pid(), pid);
    let long = unit.begin("long");
    wait_until("it begins", PATIENCE, || unit.printed(&long) == "begun\n");
    unit.service.systemctl(&["stop", &unit.service.name]);
    assert_eq!(unit.service.property("Result"), "success");
    assert_eq!(unit.service.property("ActiveState"), "inactive");
    assert_eq!(unit.runs().len(), 2, "a run is two processes");
    unit.start();
    assert_eq!(unit.ask("GET", &long).ok()["state"], "running");
    let id = long.rsplit('/').next().expect("an id");
    let project = unit
        .service
        .state()
        .join("executions")
        .join(id)
        .join("project");
    fs::write(project.join("end"), "").expect("tell it to end");
    let ended = unit.end(&long);
    assert_eq!(ended["exit_code"], 0, "{ended}");
    assert_eq!(unit.printed(&long), "begun\ndone\n");
    // A crash is systemd's to mend.
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
    for path in [&look, &long] {
        unit.ask("DELETE", path).ok();
    }
    wait_until("nothing of a sandbox is left", PATIENCE, || {
        host::names_in(&unit.root()).is_empty()
    });
}
