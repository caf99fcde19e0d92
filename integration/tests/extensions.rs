//! `x-opt-runtime`: what each extension gives a command, and that it gives no more.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::thread;

use integration::{Bench, Tool, opt_server, require_program, skip};
use serde_json::{Value, json};

const PYTHON: &str = "/usr/bin/python3";
const LIBRARY: &str = "/usr/lib/python3.11";

/// python3 with these extensions; under FILES it has what it needs to start, and no more.
fn python(extensions: &Value) -> Value {
    require_program(PYTHON, "python3");
    json!({
        "name": "python3",
        "executable": PYTHON,
        "mount-dependencies": "FILES",
        "mount-readable": [LIBRARY],
        "x-opt-runtime": extensions,
    })
}

fn script(bench: &Bench, extensions: &Value, text: &str) -> Tool {
    let project = bench.directory("project");
    fs::write(project.join("script.py"), text).expect("write the script");
    bench
        .serve(&project, &json!([python(extensions)]))
        .args(["python3", "script.py"])
}

#[test]
fn limits_are_what_the_kernel_enforces() {
    let bench = Bench::new();
    let limits = json!({ "limits": {
        "max-memory": 256, "max-processes": 20, "max-file-size": 4096, "max-open-files": 64, "scratch-size": 1_048_576,
    } });
    let text = "\
import os, resource
print('files', resource.getrlimit(resource.RLIMIT_NOFILE))
print('size', resource.getrlimit(resource.RLIMIT_FSIZE))
tmp = os.statvfs('/tmp')
print('scratch', tmp.f_blocks * tmp.f_frsize)
shm = os.statvfs('/dev/shm')
print('shm', shm.f_blocks * shm.f_frsize)
try:
    open('big', 'wb', buffering=0).write(b'x' * 5000)
    print('wrote', os.stat('big').st_size)
except OSError as error:
    print('big', error.errno)
children = []
try:
    for _ in range(40):
        child = os.fork()
        if child == 0:
            import time
            time.sleep(60)
            os._exit(0)
        children.append(child)
except OSError as error:
    print('forks', len(children), error.errno)
for child in children:
    os.kill(child, 9)
";
    // It ends by itself, or is ended for the fork that was refused: whichever comes first.
    let outcome = script(&bench, &limits, text).run();
    outcome
        .says("files (64, 64)")
        .says("size (4096, 4096)")
        .says("scratch 1048576")
        .says("shm 1048576")
        .says("wrote 4096")
        .says("forks 19 11");
    bench.assert_nothing_left_by(&outcome);
}

#[test]
fn a_memory_limit_holds_for_memory_and_swap_together() {
    let bench = Bench::new();
    let text = "x = b'x' * (1 << 30)\nprint('had a GiB')\n";
    let outcome = script(&bench, &json!({ "limits": { "max-memory": 128 } }), text).run();
    assert!(!outcome.stdout.contains("had a GiB"), "{outcome}");
    assert_ne!(outcome.code, Some(0), "{outcome}");
    script(&bench, &json!({}), text).expect(0).says("had a GiB");
}

#[test]
fn the_hosts_network_is_there_only_where_it_is_said() {
    let bench = Bench::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let _ = connection.read(&mut [0; 16]);
        }
    });
    let text = format!(
        "import socket\nsocket.create_connection(('127.0.0.1', {port}), 5).send(b'hello')\nprint('reached it')\n"
    );
    let none = script(&bench, &json!({}), &text).run();
    assert_eq!(none.code, Some(1), "{none}");
    let host = script(&bench, &json!({ "network": "host" }), &text).expect(0);
    host.says("reached it");
    bench.assert_nothing_left_by(&host);
    let raw = "import socket\ntry:\n    socket.socket(17, 3, 0)\nexcept OSError as error:\n    print('raw', error.errno)\n";
    script(&bench, &json!({ "network": "host" }), raw)
        .expect(0)
        .says("raw 97");
}

#[test]
fn a_bundle_with_the_hosts_network_must_say_so() {
    let bench = Bench::new();
    let command = json!({ "name": "true", "executable": "/usr/bin/true", "x-opt-runtime": { "network": "host" } });
    let bundle = bench.sealed("bundle", &command, &[]);
    let key = "org.opt-runtime.exception.host-network";
    assert!(
        bundle.spec()["annotations"][key]
            .as_str()
            .is_some_and(|why| why.contains("\"network\" of "))
    );
    bundle.check(&bench).expect(0);
    // The site has to grant it, where opt-runtime is given the bundle.
    bench.assert_refused(&bundle.run(&bench).run(), "host-network");
    bundle.edit(|spec| {
        drop(
            spec["annotations"]
                .as_object_mut()
                .expect("annotations")
                .remove(key),
        )
    });
    bundle
        .check(&bench)
        .expect(1)
        .says("linux.namespaces has no new net");
    bench.assert_refused(&bundle.run(&bench).run(), "own world");
    // The exception is for the host's network, not for anybody's.
    bundle.edit(|spec| {
        spec["annotations"][key] = json!("why not");
        let namespaces = spec["linux"]["namespaces"]
            .as_array_mut()
            .expect("namespaces");
        namespaces.push(json!({ "type": "network", "path": "/proc/1/ns/net" }));
    });
    bundle.check(&bench).expect(1).says("own world");
}

#[test]
fn what_is_found_at_run_time_comes_with_its_own_libraries() {
    let bench = Bench::new();
    let text =
        "import ctypes, hashlib, sqlite3\nprint('all there', hashlib.new('sm3') is not None)\n";
    let without = script(&bench, &json!({}), text).run();
    assert_eq!(without.code, Some(1), "{without}");
    assert!(without.stderr.contains("libffi.so"), "{without}");
    let modules = format!("{LIBRARY}/lib-dynload");
    script(&bench, &json!({ "dlopen": [modules] }), text)
        .expect(0)
        .says("all there True");
    // One module alone brings only what it needs.
    let ffi = fs::read_dir(&modules)
        .expect("modules")
        .flatten()
        .map(|entry| entry.path());
    let ffi = ffi
        .into_iter()
        .find(|path| path.to_string_lossy().contains("_ctypes."))
        .expect("ctypes");
    script(
        &bench,
        &json!({ "dlopen": [ffi] }),
        "import ctypes\nprint('ctypes')\n",
    )
    .expect(0)
    .says("ctypes");
    // By a bare name, as the loader would find it.
    let load = "import ctypes\nctypes.CDLL('libz.so.1')\nprint('loaded')\n";
    let both = json!({ "dlopen": [ffi, "libz.so.1"] });
    script(&bench, &both, load).expect(0).says("loaded");
    bench.assert_refused(
        &script(&bench, &json!({ "dlopen": ["libnowhere.so.7"] }), "").run(),
        "\"dlopen\"",
    );
}

#[test]
fn helper_programs_come_with_their_libraries_too() {
    require_program("/usr/bin/g++", "g++");
    let bench = Bench::new();
    let project = bench.directory("project");
    fs::write(project.join("main.cpp"), "int main() { return 0; }\n").expect("write");
    let output = std::process::Command::new("g++")
        .arg("-print-prog-name=cc1plus")
        .output();
    let cc1plus = String::from_utf8(output.expect("ask g++").stdout).expect("a path");
    let command = |extensions: Value| {
        json!([{
            "name": "g++",
            "executable": "/usr/bin/g++",
            "mount-dependencies": "FILES",
            "mount-readable": ["/usr/lib/gcc", "/usr/include", "/usr/bin/as", "/usr/bin/ld"],
            "x-opt-runtime": extensions,
        }])
    };
    let compile = ["g++", "-c", "main.cpp", "-o", "main.o"];
    let without = bench
        .serve(&project, &command(json!({})))
        .args(compile)
        .run();
    assert_ne!(without.code, Some(0), "{without}");
    let helpers = json!({ "dlopen": [cc1plus.trim(), "/usr/bin/as"] });
    bench
        .serve(&project, &command(helpers))
        .args(compile)
        .expect(0);
    assert!(project.join("main.o").exists());
}

#[test]
fn a_writable_path_is_written_as_its_owner() {
    const OWNER: u32 = 65_531;
    let bench = Bench::new();
    let shared = bench.directory("shared");
    chown(&shared, Some(OWNER), Some(OWNER)).expect("chown");
    let path = shared.display().to_string();
    let text = format!("open('{path}/result', 'w').write('done')\n");
    let read_only = script(&bench, &json!({}), &text).run();
    assert_ne!(read_only.code, Some(0), "{read_only}");
    let writable = json!({ "mount-writable": [{ "path": path, "why": "results" }] });
    let outcome = script(&bench, &writable, &text).expect(0);
    bench.assert_nothing_left_by(&outcome);
    let made = fs::metadata(shared.join("result")).expect("the result");
    assert_eq!((made.uid(), made.gid()), (OWNER, OWNER));
    for refused in ["/usr/share", "/etc", "/", "/var/tmp", "/run"] {
        let refused = script(&bench, &json!({ "mount-writable": [refused] }), "").run();
        bench.assert_refused(&refused, "\"mount-writable\"");
    }
}

#[test]
fn devices_that_give_the_host_away_are_refused_by_name() {
    let bench = Bench::new();
    for (device, says) in [
        ("/dev/kvm", "miscellaneous"),
        ("/dev/mem", "memory"),
        ("/dev/console", "terminal"),
        ("/dev/nowhere", "/dev/nowhere"),
        ("/dev/zero", "every sandbox has already"),
    ] {
        if device != "/dev/nowhere" && fs::symlink_metadata(device).is_err() {
            skip(&format!("no {device}"));
            continue;
        }
        let outcome = script(&bench, &json!({ "devices": [device] }), "").run();
        bench.assert_refused(&outcome, says);
    }
}

#[test]
fn strict_refuses_unknown_keys() {
    let bench = Bench::new();
    let project = bench.directory("project");
    let command = json!({ "name": "true", "executable": "/usr/bin/true", "note": "x" });
    let config = bench.config(&json!([command]));
    let lenient = bench.serve_with(&project, &config).arg("true").expect(0);
    assert!(
        lenient.stderr.contains("unknown key \"note\" is ignored"),
        "{lenient}"
    );
    let strict = bench
        .serve_with(&project, &config)
        .args(["--strict", "true"])
        .run();
    bench.assert_refused(&strict, "--strict refuses it");
}

fn tool(subcommand: &str) -> Tool {
    Tool::new(opt_server()).arg(subcommand)
}

#[test]
fn the_schema_is_printed_as_it_is_shipped() {
    let shipped = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/opt-server.schema.json"
    );
    let shipped = fs::read_to_string(shipped).expect("the shipped schema");
    assert_eq!(tool("schema").expect(0).stdout, shipped);
}

#[test]
fn audit_ends_as_it_was_asked_to() {
    let bench = Bench::new();
    let limits = json!({ "limits": { "max-memory": 64, "max-time": 1 } });
    let shell = json!({ "name": "sh", "executable": "/bin/sh", "x-opt-runtime": limits });
    let clean = json!({
        "name": "true", "executable": "/usr/bin/true", "mount-dependencies": "FILES", "x-opt-runtime": limits,
    });
    let bad = bench.config(&json!([shell, clean]));
    let good = bench.config(&json!([clean]));
    let audit = |config: &std::path::Path| tool("audit").arg("--config").arg(config);
    let outcome = audit(&bad).expect(1);
    outcome
        .says("error: command \"sh\": /bin/sh is sh")
        .says("(rule 1, shell-command)")
        .says("  fix: ");
    audit(&bad).args(["--fail-on", "never"]).expect(0);
    audit(&good)
        .args(["--fail-on", "note"])
        .expect(0)
        .says("0 errors, 0 warnings, 0 notes");
    let json: Value =
        serde_json::from_str(&audit(&bad).arg("--json").expect(1).stdout).expect("JSON");
    assert_eq!(json["findings"][0]["practice"], 1);
    let sarif: Value =
        serde_json::from_str(&audit(&bad).arg("--sarif").expect(1).stdout).expect("JSON");
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "shell-command");
    audit(&bench.path("nothere")).expect(125);
}

#[test]
fn check_tells_which_commands_would_start() {
    let bench = Bench::new();
    let secret = bench.file("secret", "");
    fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .expect("chmod");
    let config = bench.config(&json!([
        { "name": "true", "executable": "/usr/bin/true" },
        { "name": "gone", "executable": "/nowhere/gone" },
        { "name": "shut", "executable": "/usr/bin/true", "mount-readable": [secret] },
    ]));
    let outcome = tool("check").arg("--config").arg(&config).expect(1);
    outcome
        .says("true: ok")
        .says("gone: BROKEN")
        .says("/nowhere/gone")
        .says("shut: BROKEN")
        .says("mode 0600");
    let good = bench.config(&json!([{ "name": "true", "executable": "/usr/bin/true" }]));
    tool("check")
        .arg("--config")
        .arg(&good)
        .expect(0)
        .says("true: ok");
}

#[test]
fn explain_tells_how_much_is_shown_and_what_files_would_take_away() {
    require_program(PYTHON, "python3");
    let bench = Bench::new();
    let home = bench.directory("home");
    fs::write(home.join(".netrc"), "machine a password b").expect("write");
    let command =
        json!({ "name": "python3", "executable": PYTHON, "mount-readable": [LIBRARY, home] });
    let config = bench.config(&json!([command]));
    let explain = || {
        tool("explain")
            .arg("--config")
            .arg(&config)
            .arg("--project")
            .arg(bench.directory("project"))
    };
    let outcome = explain().arg("python3").expect(0);
    outcome
        .says("Mount: '/usr/lib/python3.11'")
        .says("  shows ")
        .says(".netrc (passwords for network services)");
    let difference = explain().args(["--diff", "FILES", "python3"]).expect(0);
    difference
        .says("no longer readable:")
        .says("libffi.so")
        .says("hint: \"x-opt-runtime\": { \"dlopen\": [");
    let json: Value = serde_json::from_str(&explain().args(["--json", "python3"]).expect(0).stdout)
        .expect("JSON");
    let mounts = json["explanation"]["mounts"].as_array().expect("mounts");
    assert!(
        mounts.iter().any(
            |mount| mount["exposure"]["secrets"][0]["what"] == "passwords for network services"
        )
    );
}
