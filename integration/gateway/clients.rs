//! `shifterimg`, as users run it.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use integration::{Session, Tool, host, program, wait_until};
use serde_json::{Value, json};

use crate::serving::{ADMIN, ANN, BOB, Gateway, SOON};

#[test]
fn exit_codes_say_how_it_went() {
    let gateway = Gateway::start();
    let client = |uid: u32, arguments: &[&str]| gateway.client(uid, arguments).run();
    client(ANN, &["lookup", "tools/x:1"]).refused("no image docker:tools/x:1");
    let pulled = gateway.client(ANN, &["pull", "docker:tools/x:1"]).expect(0);
    pulled.says("Pulling Image: docker:tools/x:1, status: READY");
    let found = gateway.client(BOB, &["lookup", "tools/x:1"]).expect(0);
    assert_eq!(found.stdout, format!("{}\n", gateway.origin.id()));
    let listed = gateway.client(BOB, &["images"]).expect(0);
    let begin = format!(
        "cluster    docker     READY    {}   ",
        &gateway.origin.id()[..10]
    );
    assert!(listed.stdout.starts_with(&begin), "{listed}");
    assert!(listed.stdout.trim_end().ends_with(" tools/x:1"), "{listed}");
    let failed = client(ANN, &["pull", "nothing:1"]);
    assert_eq!(failed.code, Some(1), "{failed}");
    assert!(
        failed.stderr.contains("reg.io/nothing:1: not found"),
        "{failed}"
    );
    let queue = gateway.client(ANN, &["queue"]).expect(0);
    queue.says("FAILURE").says("docker:nothing:1");
    gateway.client(ANN, &["pullnb", "tools/y:1"]).expect(0);
    let told = gateway.client(ANN, &["inspect", "tools/x:1"]).expect(0);
    let told: Value = serde_json::from_str(&told.stdout).expect("JSON");
    assert_eq!(told["format"], "erofs");
    client(ANN, &["expire", "tools/x:1"]).refused("by administrators");
    client(BOB, &["delete", "tools/x:1"]).refused("removed by who had it pulled first");
    client(ANN, &["autoexpire"]).refused("by administrators");
    gateway.client(ADMIN, &["autoexpire"]).expect(0);
    client(ANN, &["import", "docker:x:1", "/etc/passwd"]).refused("type custom");
    client(ANN, &["lookup", "id:0"]).refused("of type id");
    gateway.client(ANN, &["delete", "tools/x:1"]).expect(0);
    wait_until("its files are gone", SOON, || gateway.images().is_empty());
    client(ANN, &["lookup", "tools/x:1"]).refused("no image");
}

#[test]
fn the_first_gateway_that_answers_well_counts() {
    let gateway = Gateway::start();
    // One that hangs up at once, one that has nothing, and one that isn't there.
    let rude = TcpListener::bind("127.0.0.1:0").expect("listen");
    let rude_address = rude.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in rude.incoming().flatten() {
            let _ = stream
                .write_all(b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    let (rude, none) = (format!("http://{rude_address}"), "http://127.0.0.1:1");
    gateway.write_site(&[&rude, none, &gateway.url()]);
    gateway.client(ANN, &["images"]).expect(0);
    // What one said tells more than that another isn't there.
    gateway.client(ANN, &["lookup", "x:1"]).run().refused("x:1");
    gateway.write_site(&[none]);
    gateway
        .client(ANN, &["images"])
        .run()
        .refused("ask http://127.0.0.1:1");
}

/// The name service is the site's: whoever asks says neither by which program it is asked, nor how.
#[test]
fn hosts_are_found_by_the_systems_getent_and_nothing_of_the_callers() {
    let gateway = Gateway::start();
    let label = format!("http://{}.invalid:8000", "a".repeat(64));
    gateway.write_site(&[&label]);
    let seen = gateway.bench.directory("seen");
    fs::set_permissions(&seen, fs::Permissions::from_mode(0o777)).expect("chmod");
    let own = gateway.bench.directory("own");
    let script = format!(
        "#!/bin/sh\n: >{}/own\necho 127.0.0.1 STREAM x\n",
        seen.display()
    );
    program::write(&own.join("getent"), &script);
    let path = format!("{}:/usr/bin:/bin", own.display());
    let asked = gateway.client(ANN, &["images"]).env("PATH", &path).run();
    asked.refused("there is no host");
    assert!(!seen.join("own").exists(), "the caller's getent was run");
    // The loader of each program that has these variables writes down which files it loads, by its process.
    let traced = gateway
        .client(ANN, &["images"])
        .env("LD_DEBUG", "files")
        .env(
            "LD_DEBUG_OUTPUT",
            &seen.join("loaded").display().to_string(),
        )
        .run();
    traced.refused("there is no host");
    let loaded = host::names_in(&seen);
    for name in &loaded {
        let text = fs::read_to_string(seen.join(name)).expect("read");
        assert!(!text.contains("getent"), "{name}: {text}");
    }
    assert!(!loaded.is_empty(), "nothing was traced at all");
}

#[test]
fn an_image_that_takes_a_password_is_for_those_who_are_named() {
    let gateway = Gateway::start();
    let private = "private/x:1";
    let failed = gateway.client(ANN, &["pull", private]).run();
    assert_eq!(failed.code, Some(1), "{failed}");
    assert!(failed.stderr.contains("denied"), "{failed}");
    gateway
        .client(ANN, &["login"])
        .input("ann\nsecret\n")
        .expect(0);
    let file = gateway.bench.path("home-5/.udiRoot/.cred");
    let mode =
        |path: &std::path::Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(
        (mode(&file), mode(file.parent().expect("above"))),
        (0o600, 0o700)
    );
    let kept = fs::read_to_string(&file).expect("read");
    assert!(
        kept.starts_with("cluster:default=MUNGE:") && !kept.contains("secret"),
        "{kept}"
    );
    gateway
        .client(ANN, &["pull", "--user", "mail", private])
        .expect(0);
    gateway.client(ANN, &["lookup", private]).expect(0);
    gateway.client(ADMIN, &["lookup", private]).expect(0);
    gateway
        .client(BOB, &["lookup", private])
        .run()
        .refused("no image");
    assert_eq!(gateway.client(BOB, &["images"]).expect(0).stdout, "");
    // A pull without a password is one of its own, which fails.
    let failed = gateway.client(BOB, &["pull", private]).run();
    assert_eq!(failed.code, Some(1), "{failed}");
    let meta = gateway
        .bench
        .path(&format!("images/{}.meta", gateway.origin.id()));
    let meta = fs::read_to_string(meta).expect("a .meta");
    assert!(meta.contains("USERACL: 8,5\n"), "{meta}");
    assert!(!gateway.log().contains("secret"));
    let database = fs::read(gateway.bench.path("state/images.redb")).expect("read");
    assert!(
        !database.windows(6).any(|six| six == b"secret"),
        "a password is on the disk"
    );
}

#[test]
fn a_file_of_a_users_is_imported_with_his_rights_and_built_anew() {
    let gateway = Gateway::with(&json!({ "ImportUsers": ["games"] }));
    let archive = archive(&gateway);
    let path = archive.to_str().expect("a path");
    gateway
        .client(BOB, &["import", "custom:mine:1", path])
        .run()
        .refused("isn't allowed");
    let closed = fs::Permissions::from_mode(0o600);
    fs::set_permissions(&archive, closed).expect("chmod");
    // Root's file, which the gateway can't read either.
    gateway
        .client(ANN, &["import", "custom:mine:1", path])
        .run()
        .refused("permission denied");
    std::os::unix::fs::chown(&archive, Some(ANN), Some(ANN)).expect("chown");
    gateway
        .client(ANN, &["import", "custom:mine:1", path])
        .expect(0);
    let found = gateway.client(ANN, &["lookup", "custom:mine:1"]).expect(0);
    let id = found.stdout.trim();
    assert_eq!(
        gateway.images(),
        [format!("{id}.erofs"), format!("{id}.meta")]
    );
    // A path that is named is read where the file is the asker's.
    let import = |uid: u32, file: &str| {
        let body = json!({ "filepath": file, "format": "squashfs" }).to_string();
        gateway.ask_as(uid, "POST", "/api/doimport/cluster/custom/named:1/", &body)
    };
    for file in [
        "/etc/passwd",
        "/etc/shadow",
        "/dev/zero",
        "relative",
        "/nowhere",
    ] {
        let answer = import(ANN, file);
        assert_eq!(answer.status, 404, "{file}: {}", answer.text());
    }
    fs::set_permissions(&archive, fs::Permissions::from_mode(0o644)).expect("chmod");
    assert_eq!(import(ANN, path).status, 200);
    wait_until("it is there", SOON, || {
        gateway
            .client(ANN, &["lookup", "custom:named:1"])
            .run()
            .code
            == Some(0)
    });
    // What isn't an image becomes none.
    let failed = gateway
        .client(ANN, &["import", "custom:bad:1", "/bin/busybox"])
        .run();
    assert_eq!(failed.code, Some(1), "{failed}");
}

/// An OCI archive of what the registry shows, root's.
fn archive(gateway: &Gateway) -> std::path::PathBuf {
    let layout = gateway.bench.directory("layout");
    gateway.origin.write_layout(&layout);
    let archive = gateway.bench.path("archive.tar");
    Tool::new("tar")
        .arg("-cf")
        .arg(&archive)
        .arg("-C")
        .arg(&layout)
        .arg(".")
        .expect(0);
    archive
}

#[test]
fn whoever_looks_sees_a_bar_that_grows() {
    let gateway = Gateway::start();
    gateway.origin.hold();
    let tool = gateway.client(ANN, &["pull", "tools/x:1"]);
    let mut session = Session::start(tool, 24, 200);
    session
        .waits_for("status: PULLING [")
        .waits_for("]   0 % (")
        .waits_for(" MB)");
    gateway.origin.release();
    session.waits_for("status: READY\r\n");
    assert_eq!(session.ends(), Some(0));
}
