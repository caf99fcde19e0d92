//! A server that ends, is killed, or is told to read its configuration again.

use std::fs;
use std::time::Duration;

use integration::{Bench, Server, wait_until};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::{SOON, UNTIL_GO, assert_nothing_left, run, serving, shell, sleeper, waits_for};

#[test]
fn what_runs_goes_on_while_the_server_is_dead_and_is_found_again() {
    let bench = Bench::new();
    let script = format!("echo begun; {UNTIL_GO}; echo done; echo 1 > result.json");
    let (mut server, key) = serving(&bench, &[("f", shell(&script)), ("sleeper", sleeper())]);
    let (first, second) = (server.create("f", &key), server.create("sleeper", &key));
    for path in [&first, &second] {
        server.post(&format!("{path}/start"), &key, b"").ok();
    }
    let waiting = server.create("f", &key);
    server
        .post(&format!("{waiting}/input/data"), &key, b"kept")
        .ok();
    server.post(&format!("{waiting}/start"), &key, b"").ok();
    let created = server.create("f", &key);
    waits_for(&server, &first, &key, "begun");
    waits_for(&server, &second, &key, "ready");
    let told = server.get(&format!("{first}?stdout=true"), &key).ok();
    assert_eq!(told["stdout"], "begun\n");
    server.kill();
    assert_eq!(
        server.runs().len(),
        4,
        "each run is two processes, and both go on"
    );
    server.start_again();
    server.go(&first);
    let ended = server.wait_for_end(&first, &key);
    assert_eq!(
        (&ended["state"], &ended["output"][0]["id"]),
        (&json!("ended"), &json!("result"))
    );
    // The cursor outlived the server too.
    let rest = server.get(&format!("{first}?stdout=true"), &key).ok();
    assert_eq!(rest["stdout"], "done\n");
    assert_eq!(server.get(&second, &key).ok()["state"], "running");
    server.go(&waiting);
    assert_eq!(server.wait_for_end(&waiting, &key)["state"], "ended");
    assert_eq!(server.get(&created, &key).ok()["state"], "created");
    for path in [&first, &second, &waiting, &created] {
        server.ask("DELETE", path, &key, b"").ok();
    }
    assert_nothing_left(&bench, server.state());
}

#[test]
fn what_ended_while_the_server_was_dead_has_ended_with_its_outputs() {
    let bench = Bench::new();
    let script = format!("echo begun; {UNTIL_GO}; echo 1 > result.json; exit 5");
    let (mut server, key) = serving(&bench, &[("f", shell(&script))]);
    let path = server.create("f", &key);
    server.post(&format!("{path}/start"), &key, b"").ok();
    waits_for(&server, &path, &key, "begun");
    server.kill();
    server.go(&path);
    wait_until("it ends", SOON, || server.runs().is_empty());
    server.start_again();
    let ended = server.wait_for_end(&path, &key);
    assert_eq!(
        (&ended["state"], &ended["exit_code"]),
        (&json!("ended"), &json!(5))
    );
    assert_eq!(
        server.get(&format!("{path}/output/result"), &key).text(),
        "1\n"
    );
}

#[test]
fn a_server_killed_at_any_moment_loses_nothing() {
    let bench = Bench::new();
    let functions = [(
        "f",
        shell("cat data.txt; cp data.txt result.json; sleep 0.2"),
    )];
    let (mut server, key) = serving(&bench, &functions);
    let mut paths = vec![];
    for round in 0..12 {
        let path = server.create("f", &key);
        server
            .post(&format!("{path}/input/data"), &key, path.as_bytes())
            .ok();
        server.post(&format!("{path}/start"), &key, b"").ok();
        paths.push(path);
        std::thread::sleep(Duration::from_millis(round * 13 % 90));
        server.kill();
        server.start_again();
    }
    for path in &paths {
        let ended = server.wait_for_end(path, &key);
        assert_eq!(ended["state"], "ended", "{ended}");
        assert_eq!(
            server.get(path, &key).ok()["log"],
            path.as_str(),
            "run once, and whole"
        );
        assert_eq!(
            server.get(&format!("{path}/output/result"), &key).text(),
            path.as_str()
        );
        server.ask("DELETE", path, &key, b"").ok();
    }
    assert_nothing_left(&bench, server.state());
}

#[test]
fn sigterm_ends_the_server_and_not_what_runs() {
    let bench = Bench::new();
    let script = format!("echo begun; {UNTIL_GO}; echo done");
    let (mut server, key) = serving(&bench, &[("f", shell(&script))]);
    let path = server.create("f", &key);
    server.post(&format!("{path}/start"), &key, b"").ok();
    waits_for(&server, &path, &key, "begun");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), Some(0));
    assert_eq!(server.runs().len(), 2);
    server.start_again();
    server.go(&path);
    assert_eq!(server.wait_for_end(&path, &key)["state"], "ended");
    assert_eq!(server.get(&path, &key).ok()["log"], "begun\ndone\n");
}

#[test]
fn what_was_killed_with_the_server_is_told_lost_and_swept_away() {
    use nix::sys::signal::kill;
    use nix::unistd::Pid;

    let bench = Bench::new();
    let (mut server, key) = serving(&bench, &[("sleeper", sleeper())]);
    let path = server.create("sleeper", &key);
    server.post(&format!("{path}/start"), &key, b"").ok();
    waits_for(&server, &path, &key, "ready");
    server.kill();
    // Both processes of the run at once, so that neither cleans up after the other.
    let runs = server.runs();
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        for pid in &runs {
            kill(Pid::from_raw(*pid), signal).expect("kill");
        }
    }
    wait_until("they are gone", SOON, || server.runs().is_empty());
    assert_ne!(
        bench.state_names(),
        [""; 0],
        "nothing was left, so this tests nothing"
    );
    server.start_again();
    let ended = server.wait_for_end(&path, &key);
    assert_eq!(ended["state"], "lost", "{ended}");
    assert!(
        ended["message"]
            .as_str()
            .is_some_and(|message| message.contains("report")),
        "{ended}"
    );
    server.ask("DELETE", &path, &key, b"").ok();
    assert_nothing_left(&bench, server.state());
}

#[test]
fn a_directory_without_a_record_is_removed_at_the_next_start() {
    let bench = Bench::new();
    let (mut server, _) = serving(&bench, &[]);
    server.kill();
    let orphan = server.state().join("executions/orphan/project");
    fs::create_dir_all(&orphan).expect("make a directory");
    server.start_again();
    assert!(!orphan.exists());
}

#[test]
fn sighup_takes_a_good_configuration_and_says_why_it_refuses_a_bad_one() {
    let bench = Bench::new();
    let (server, key) = serving(&bench, &[("f", shell("echo old")), ("sleeper", sleeper())]);
    let running = server.create("sleeper", &key);
    server.post(&format!("{running}/start"), &key, b"").ok();
    waits_for(&server, &running, &key, "ready");
    // Bad, in each of the three files: the old ones hold, whole.
    let config = server.site().join("config.json");
    let good = fs::read_to_string(&config).expect("config.json");
    let function = server.site().join("functions/f.json");
    for (path, bad, fault) in [
        (config.clone(), "{\n\"commands\": [{}]}", "config.json:2: "),
        (
            function.clone(),
            "{\n\n\"comand\": 1}",
            "f.json:3: unknown field `comand`",
        ),
        (
            server.site().join("server.json"),
            "{\"author\": 1}",
            "server.json:1: ",
        ),
        // Of the range that executions get their ids from.
        (
            server.site().join("server.json"),
            "{\"service-uid\": 1879048192}",
            "\\\"service-uid\\\" must not be 1879048192: executions get their ids from 1879048192 to 2147483647",
        ),
    ] {
        let kept = fs::read_to_string(&path).expect("the file");
        fs::write(&path, bad).expect("write");
        server.signal(Signal::SIGHUP);
        server.logs(fault);
        fs::write(&path, kept).expect("write");
        let (path, _) = run(&server, "f", &key, None);
        assert_eq!(server.get(&path, &key).ok()["log"], "old\n", "{fault}");
    }
    assert_eq!(server.log().matches("the old one holds").count(), 4);
    // Even one that is still bad on disk when something is started.
    fs::write(&config, "{").expect("write");
    server.signal(Signal::SIGHUP);
    server.logs("EOF");
    let (path, _) = run(&server, "f", &key, None);
    assert_eq!(server.get(&path, &key).ok()["log"], "old\n");
    fs::write(&config, good).expect("write");
    // And a good one.
    fs::write(&function, shell("echo new").to_string()).expect("write");
    server.signal(Signal::SIGHUP);
    server.logs("configuration read again");
    let (path, _) = run(&server, "f", &key, None);
    assert_eq!(server.get(&path, &key).ok()["log"], "new\n");
    assert_eq!(server.get(&running, &key).ok()["state"], "running");
}

#[test]
fn two_servers_can_not_have_one_state() {
    let bench = Bench::new();
    let (server, _) = serving(&bench, &[]);
    let outcome = integration::Tool::new(integration::opt_server())
        .args(["--start", "--listen", "127.0.0.1:0", "--config"])
        .arg(server.site().join("config.json"))
        .arg("--state")
        .arg(server.state())
        .run();
    outcome.refused("another opt-server has the state directory");
}

#[test]
fn executions_expire() {
    let bench = Bench::new();
    let settings = json!({ "keep-ended-minutes": 0, "keep-created-minutes": 0 });
    let mut server = Server::start(&bench, &[("f", shell("true"))], &settings);
    let key = server.add_key(&["tester"]);
    server.create("f", &key);
    let path = server.create("f", &key);
    server.post(&format!("{path}/start"), &key, b"").ok();
    server.wait_for_end(&path, &key);
    // It is looked for them at the start.
    server.kill();
    server.start_again();
    wait_until("they are gone", SOON, || {
        server.get("/v1/executions", &key).ok()["total"] == 0
    });
    assert_nothing_left(&bench, server.state());
}
