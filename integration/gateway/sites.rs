//! What an administrator meets: starting, faults of the configuration, systems over ssh.

use std::fs;
use std::os::unix::fs::chown;

use integration::{Bench, Tool, program, shifter_imagegw, wait_until};
use serde_json::json;

use crate::serving::{ANN, Gateway, OWN, SOON, as_user};

#[test]
fn it_never_serves_as_root_nor_with_a_capability() {
    let gateway = Gateway::start();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--config"];
    let configuration = gateway.bench.path("imagemanager.json");
    let imagegw = gateway.bench.path("programs/shifter-imagegw");
    let as_root = Tool::new(&imagegw).args(serve).arg(&configuration).run();
    assert_eq!(as_root.code, Some(1), "{as_root}");
    assert!(as_root.stderr.contains("as root"), "{as_root}");
    let capable = Tool::new("setpriv")
        .args([
            "--reuid",
            &OWN.to_string(),
            "--regid",
            &OWN.to_string(),
            "--clear-groups",
        ])
        .args(["--inh-caps", "+chown", "--ambient-caps", "+chown"])
        .arg(&imagegw)
        .args(serve)
        .arg(&configuration)
        .run();
    assert_eq!(capable.code, Some(1), "{capable}");
    assert!(capable.stderr.contains("capabilities"), "{capable}");
}

#[test]
fn faults_of_the_configuration_are_told_a_line_each() {
    let bench = Bench::new();
    let imagegw = bench.path("shifter-imagegw");
    program::copy([shifter_imagegw()], &imagegw);
    let check = |text: &str| {
        let file = bench.file("im.json", text);
        as_user(OWN)
            .arg(&imagegw)
            .args(["check", "--config"])
            .arg(file)
            .run()
    };
    let faults = check(
        "{\"WorkerThread\": 1, \"DefaultImageLocation\": \"a\", \"Locations\": {\"a\": {\"url\": \"https://a\"}},
          \"Platforms\": {\"c\": {\"accesstype\": \"local\", \"admins\": \"root\", \"local\": {\"imageDir\": \"/i\"}}}}",
    );
    assert_eq!(faults.code, Some(1), "{faults}");
    for line in [
        "did you mean WorkerThreads?",
        "Platforms.c.admins: must be a list of names",
    ] {
        let found = faults.stderr.lines().filter(|told| told.contains(line));
        assert_eq!(found.count(), 1, "{line}: {faults}");
    }
    assert!(
        faults
            .stderr
            .lines()
            .all(|line| line.starts_with("shifter-imagegw: ")),
        "{faults}"
    );
    check("{").refused("im.json:1");
    let file = bench.file("im.json", "{}");
    chown(&file, Some(ANN), None).expect("chown");
    as_user(OWN)
        .arg(&imagegw)
        .args(["check", "--config"])
        .arg(file)
        .run()
        .refused("belongs to");
}

/// Programs in the place of ssh and scp that do as a host does: a shell of its own takes the command apart.
#[test]
fn a_system_over_ssh_gets_whole_files_and_loses_them_again() {
    let platforms = json!({ "cluster": {
        "mungeSocketPath": "@/munge/run/socket", "accesstype": "remote", "admins": ["mail"],
        "host": ["login1"],
        "ssh": { "username": "shifter", "key": "/key", "imageDir": "@/remote",
            "sshCmdOptions": ["-p", "22"], "scpCmdOptions": ["-P", "22"] },
    } });
    let gateway = Gateway::with(&json!({ "Platforms": platforms }));
    let remote = gateway.bench.directory("remote");
    chown(&remote, Some(OWN), Some(OWN)).expect("chown");
    let place = gateway.bench.path("programs");
    let told = gateway.bench.path("remote/told");
    let script = |body: &str| {
        format!(
            "#!/bin/sh\necho \"${{0##*/}} $*\" >>{}\n{body}\n",
            told.display()
        )
    };
    program::write(
        &place.join("ssh"),
        &script("for last; do :; done\nexec sh -c \"$last\""),
    );
    program::write(
        &place.join("scp"),
        &script("while [ $# -gt 2 ]; do shift; done\nexec cp \"$1\" \"${2#*:}\""),
    );
    gateway.client(ANN, &["pull", "tools/x:1"]).expect(0);
    let id = gateway.origin.id();
    let there = || {
        let entries = fs::read_dir(&remote).expect("the directory");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> = names
            .map(|name| name.into_string().expect("a name"))
            .collect();
        names.retain(|name| name != "told");
        names.sort();
        names
    };
    assert_eq!(there(), [format!("{id}.erofs"), format!("{id}.meta")]);
    let commands = fs::read_to_string(&told).expect("what was asked");
    let first = commands.lines().next().expect("a line");
    assert!(
        first.starts_with("scp -o BatchMode=yes -i /key -P 22 -o ConnectTimeout=30 -o ServerAliveInterval=20 -q -- ")
            && first.ends_with(&format!(
                "shifter@login1:{}/.imagegw-new-{id}.erofs",
                remote.display()
            )),
        "{commands}"
    );
    assert!(
        commands.lines().any(
            |line| line.starts_with("ssh -o BatchMode=yes -i /key -p 22 ")
                && line.contains(" -- shifter@login1 chmod 0600 ")
        ),
        "{commands}"
    );
    gateway.client(ANN, &["delete", "tools/x:1"]).expect(0);
    wait_until("it is gone", SOON, || there().is_empty());
    // A host that says no is told of.
    program::write(
        &place.join("scp"),
        "#!/bin/sh\necho 'no route to host' >&2\nexit 255\n",
    );
    let failed = gateway.client(ANN, &["pull", "tools/y:1"]).run();
    assert_eq!(failed.code, Some(1), "{failed}");
    assert!(
        failed.stderr.contains("scp to login1: no route to host"),
        "{failed}"
    );
}
