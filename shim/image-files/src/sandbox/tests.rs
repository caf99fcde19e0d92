use std::fs;
use std::process::Stdio;

use super::*;

/// Runs a script of dash's, which starts no other program, in a sandbox; gives what it says.
fn said(script: &str) -> String {
    let bench = tempfile::tempdir().unwrap();
    let place = |name: &str| bench.path().join(name);
    fs::create_dir(place("into")).unwrap();
    fs::write(place("image"), "a stranger's\n").unwrap();
    fs::write(place("other"), "not its business\n").unwrap();
    let image = File::open(place("image")).unwrap();
    let sandbox = Sandbox::new(&image, &place("into"), 4096).unwrap();
    let mut command = Command::new("/bin/dash");
    command
        .args(["-c", script])
        .current_dir(bench.path())
        .env_clear()
        .stdin(image)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    sandbox.confine(&mut command);
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8(text).unwrap()
}

#[test]
fn its_own_file_is_read_and_its_own_directory_is_written() {
    assert_eq!(said("read line <image; echo $line"), "a stranger's\n");
    assert_eq!(
        said("read line </proc/self/fd/0; echo $line"),
        "a stranger's\n"
    );
    assert_eq!(
        said("echo x >into/file && read line <into/file && echo $line"),
        "x\n"
    );
}

#[test]
fn nothing_else_of_the_machines_is_there_for_it() {
    for (script, fault) in [
        ("read line <other", "Permission denied"),
        ("read line </etc/passwd", "Permission denied"),
        ("read line </proc/self/status", "Permission denied"),
        ("echo x >image", "Permission denied"),
        ("echo x >new", "Permission denied"),
        ("echo x >/dev/null", "Permission denied"),
        ("cd into; read line <../other", "Permission denied"),
        ("kill -0 $PPID", "not implemented"),
        ("exec /usr/bin/unshare --user /bin/true", "not implemented"),
        (
            "exec /bin/bash -c 'read line </dev/tcp/127.0.0.1/1'",
            "not implemented",
        ),
    ] {
        let told = said(script);
        assert!(told.contains(fault), "{script}: {told}");
    }
}

#[test]
fn no_file_grows_beyond_its_bound() {
    let grow = "line=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; while echo $line$line$line$line >>into/file; do :; done; echo went on";
    // A signal ends it.
    assert_eq!(said(grow), "");
}
