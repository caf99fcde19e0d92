//! What an administrator sees: certificate, health, metrics, log, a full disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use integration::{Bench, Server, Tool, wait_until};
use serde_json::{Value, json};

use crate::{SOON, run, serving, shell, waits_for};

#[test]
fn a_certificate_is_made_once_and_its_key_is_nobody_elses() {
    let bench = Bench::new();
    let (mut server, _) = serving(&bench, &[]);
    let (chain, key) = (
        server.state().join("certificate.pem"),
        server.state().join("certificate-key.pem"),
    );
    let mode = |path: &Path| fs::metadata(path).expect("the file").permissions().mode() & 0o777;
    assert_eq!((mode(&key), mode(server.state())), (0o600, 0o700));
    let made = fs::read(&chain).expect("the certificate");
    server.kill();
    server.start_again();
    assert_eq!(fs::read(&chain).expect("the certificate"), made);
    // The test's own client trusts nothing else, so this is the certificate that is used.
    let answer = server
        .client()
        .try_ask("GET", "/healthz", &[], b"")
        .expect("an answer");
    assert_eq!(answer.ok()["status"], "ok");
    let shown = Tool::new("openssl")
        .args(["x509", "-noout", "-ext", "subjectAltName", "-in"])
        .arg(&chain)
        .expect(0);
    shown.says("DNS:localhost").says("IP Address:127.0.0.1");
}

#[test]
fn a_configuration_that_is_found_serves_as_one_that_is_named() {
    let bench = Bench::new();
    let site = bench.directory("site");
    fs::write(site.join("config.json"), "{}").expect("write");
    let start = Tool::new(integration::opt_server())
        .args(["--start", "--listen", "127.0.0.1:0", "--state"])
        .arg(bench.path("server"))
        .within("sh", &["-c", "exec \"$@\" 2>&1", "sh"])
        .current_dir(&site);
    start.start().wait_for("listening");
}

#[test]
fn a_command_that_could_write_the_servers_own_files_is_refused() {
    let bench = Bench::new();
    let site = bench.directory("site");
    fs::create_dir(site.join("functions")).expect("mkdir");
    let start = |writable: &Path| {
        let config = site.join("config.json");
        let extensions = json!({ "mount-writable": [writable] });
        let command =
            json!({ "name": "f", "executable": "/usr/bin/busybox", "x-opt-runtime": extensions });
        fs::write(&config, json!({ "commands": [command] }).to_string()).expect("write");
        Tool::new(integration::opt_server())
            .args(["--start", "--listen", "127.0.0.1:0", "--config"])
            .arg(&config)
            .arg("--state")
            .arg(bench.path("server"))
            .run()
    };
    for writable in [
        bench.path(""),
        site.clone(),
        site.join("functions"),
        bench.path("server/executions"),
    ] {
        start(&writable).refused("which is the server's own");
    }
}

#[test]
fn a_state_directory_that_is_open_to_others_is_refused() {
    let bench = Bench::new();
    let state = bench.directory("open");
    let config = bench.config(&json!([]));
    let start = || {
        Tool::new(integration::opt_server())
            .args(["--start", "--listen", "127.0.0.1:0", "--config"])
            .arg(&config)
            .arg("--state")
            .arg(&state)
            .run()
    };
    start().refused("open to others");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).expect("chmod");
    fs::write(bench.path("server.json"), "{\n\"max-runing\": 1}").expect("write");
    start().refused("server.json:2: unknown field `max-runing`");
    fs::write(bench.path("server.json"), "{\"author\": \"v1\"}").expect("write");
    start().refused("must not be \"v1\"");
}

#[test]
fn health_needs_no_key_and_metrics_need_one() {
    let bench = Bench::new();
    let (server, key) = serving(&bench, &[("f", shell("true"))]);
    for path in ["/healthz", "/readyz", "/openapi.json"] {
        server
            .client()
            .try_ask("GET", path, &[], b"")
            .expect("an answer")
            .ok();
    }
    run(&server, "f", &key, None);
    server.get("/metrics", &key).refused(403, "reads metrics");
    server
        .get("/metrics", "apikey_wrong")
        .refused(401, "not known");
    let reader = server.add_key(&["prometheus", "--metrics"]);
    let text = server.get("/metrics", &reader).text();
    for line in [
        "opt_server_executions_ended_total{state=\"ended\"} 1",
        "route=\"/{author}/{function}/executions\",method=\"POST\",status=\"201\"",
        "opt_server_executions_running 0",
        "# EOF",
    ] {
        assert!(text.contains(line), "no {line}:\n{text}");
    }
    server
        .post("/local/f/executions", &reader, b"")
        .refused(404, "no function");
}

#[test]
fn the_log_has_one_id_for_each_execution_and_no_key() {
    let bench = Bench::new();
    let (server, key) = serving(&bench, &[("f", shell("true"))]);
    let (path, _) = run(&server, "f", &key, None);
    let id = path.rsplit('/').next().expect("an id");
    let lines: Vec<Value> = server
        .log()
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON, line by line"))
        .filter(|line: &Value| line["execution"] == id)
        .collect();
    let messages: Vec<&str> = lines
        .iter()
        .filter_map(|line| line["message"].as_str())
        .collect();
    assert_eq!(messages, ["execution started", "execution ended"]);
    assert!(!server.log().contains(&key[8..]));
}

/// A file system of its own for a test, a file with ext4 in it.
struct SmallDisk {
    mount: PathBuf,
}

impl SmallDisk {
    fn of(bench: &Bench, megabytes: u64) -> Self {
        let image = bench.path("disk");
        let file = fs::File::create(&image).expect("the image");
        file.set_len(megabytes << 20).expect("its size");
        Tool::new("mkfs.ext4")
            .args(["-q", "-m0"])
            .arg(&image)
            .expect(0);
        let mount = bench.directory("disk-mount");
        Tool::new("mount")
            .args(["-o", "loop"])
            .arg(&image)
            .arg(&mount)
            .expect(0);
        Self { mount }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmount = || Tool::new("umount").arg(&self.mount).run().code == Some(0);
        for _ in 0..50 {
            if unmount() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        assert!(
            std::thread::panicking(),
            "{} can't be unmounted",
            self.mount.display()
        );
    }
}

#[test]
fn on_a_full_disk_nothing_new_is_taken_nothing_is_lost_and_the_server_lives_on() {
    let bench = Bench::new();
    let disk = SmallDisk::of(&bench, 40);
    let settings = json!({ "min-free-mb": 8, "max-running": 2 });
    let functions = [
        ("f", shell("echo hello")),
        (
            "slow",
            shell("echo ready; sleep 1; echo '{}' > result.json; echo done"),
        ),
    ];
    let state = disk.mount.join("server");
    let mut server = Server::start_in(&bench, &state, &functions, &settings);
    let key = server.add_key(&["tester"]);
    let slow = server.create("slow", &key);
    server.post(&format!("{slow}/start"), &key, b"").ok();
    waits_for(&server, &slow, &key, "ready");
    // To the last byte, while something runs.
    let filler = disk.mount.join("filler");
    let filled = Tool::new("dd")
        .args(["if=/dev/zero", "bs=64k"])
        .arg(format!("of={}", filler.display()))
        .run();
    assert!(filled.stderr.contains("No space left"), "{filled}");
    server
        .post("/local/f/executions", &key, b"")
        .refused(503, "no space left");
    let ready = server
        .client()
        .try_ask("GET", "/readyz", &[], b"")
        .expect("an answer");
    ready.refused(503, "no space left");
    server
        .client()
        .try_ask("GET", "/healthz", &[], b"")
        .expect("an answer")
        .ok();
    let ended = server.wait_for_end(&slow, &key);
    assert_eq!(ended["state"], "ended", "{ended}");
    fs::remove_file(filler).expect("make room");
    wait_until("it takes executions again", SOON, || {
        server.post("/local/f/executions", &key, b"").status == 201
    });
    let (path, _) = run(&server, "f", &key, None);
    assert_eq!(server.get(&path, &key).ok()["log"], "hello\n");
    // Nor has the store forgotten anything.
    server.kill();
    server.start_again();
    assert_eq!(server.get(&slow, &key).ok()["state"], "ended");
    drop(server);
    drop(disk);
}
