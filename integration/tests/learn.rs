//! `learn` proposes what a command needs, and what it proposes is enough; a failing command's report names what
//! isn't mounted.

use std::fs;
use std::path::{Path, PathBuf};

use integration::{Bench, Outcome, model, require_program};
use serde_json::{Value, json};

/// `opt-server learn --json` of a command.
fn learn(bench: &Bench, project: &Path, command: &Value, arguments: &[&str]) -> Value {
    let config = bench.config(&json!([command]));
    let outcome = integration::Tool::new(integration::opt_server())
        .args(["learn", "--json", "--root"])
        .arg(bench.root())
        .arg("--config")
        .arg(&config)
        .arg(command["name"].as_str().expect("a name"))
        .args(arguments)
        .current_dir(project)
        .expect(0);
    bench.assert_nothing_left_by(&outcome);
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome}"))
}

fn paths(learned: &Value) -> Vec<&str> {
    let proposals = learned["proposals"].as_array().expect("a list");
    proposals
        .iter()
        .map(|one| one["path"].as_str().expect("a path"))
        .collect()
}

/// The command as it is proposed.
fn with_snippet(command: &Value, learned: &Value) -> Value {
    let mut command = command.clone();
    for (key, value) in learned["snippet"].as_object().expect("keys") {
        command[key] = value.clone();
    }
    command
}

/// Fails before, and works with what was learnt.
fn assert_learnt(
    bench: &Bench,
    project: &Path,
    command: &Value,
    arguments: &[&str],
) -> (Value, Outcome) {
    let name = command["name"].as_str().expect("a name").to_owned();
    require_program(command["executable"].as_str().expect("a path"), &name);
    let run = |command: &Value| {
        let mut tool = bench.serve(project, &json!([command])).arg(&name);
        tool = tool.args(arguments);
        tool.run()
    };
    let before = run(command);
    assert_ne!(before.code, Some(0), "works without: {before}");
    let learned = learn(bench, project, command, arguments);
    let after = run(&with_snippet(command, &learned));
    assert_eq!(after.code, Some(0), "{learned:#}\n{after}");
    (learned, after)
}

#[test]
fn python_gets_its_library_as_a_directory_and_the_libraries_of_its_modules() {
    let bench = Bench::new();
    let project = bench.directory("project");
    let command = json!({
        "name": "python3", "executable": "/usr/bin/python3", "mount-dependencies": "FILES",
    });
    let script = "import ctypes, json, sqlite3; print('imported', sqlite3.connect(':memory:'))";
    let (learned, outcome) = assert_learnt(&bench, &project, &command, &["-c", script]);
    outcome.says("imported");
    let paths = paths(&learned);
    assert!(
        paths
            .iter()
            .any(|path| path.starts_with("/usr/lib/python3.") && path.matches('/').count() == 3),
        "{learned:#}"
    );
    for (library, module) in [("libffi.so", "_ctypes"), ("libsqlite3.so", "_sqlite3")] {
        let proposals = learned["proposals"].as_array().expect("a list");
        let carrier = proposals.iter().find(|one| {
            let brings = one["brings"].as_array().expect("a list");
            let mut brings = brings.iter().filter_map(Value::as_str);
            brings.any(|path| path.contains(library))
        });
        let carrier = carrier.unwrap_or_else(|| panic!("{library}: {learned:#}"));
        assert_eq!(carrier["key"], "dlopen", "{library}: {learned:#}");
        let path = carrier["path"].as_str().expect("a path");
        assert!(path.contains(module), "{library}: {learned:#}");
    }
    // Nothing as wide as the whole of a directory that everything lies in, nor the host's own files.
    for wide in [
        "/usr",
        "/usr/lib",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/bin",
        "/etc",
    ] {
        assert!(!paths.contains(&wide), "{learned:#}");
    }
    assert!(
        !paths.iter().any(|path| path.starts_with("/etc/ld.so")),
        "{learned:#}"
    );
}

/// Programs that a command starts bring their libraries; and what is proposed for each of the examples is enough.
#[test]
fn a_command_that_starts_others_gets_them_with_their_libraries() {
    let bench = Bench::new();
    for (name, program, models, arguments, programs) in [
        (
            "minizinc",
            "/usr/bin/minizinc",
            &["knapsack.mzn"][..],
            &["knapsack.mzn"][..],
            &["/usr/bin/fzn-gecode"][..],
        ),
        (
            "Rscript",
            "/usr/bin/Rscript",
            &["linear.R"],
            &["linear.R"],
            &["/usr/lib/R/bin/R", "/usr/lib/R/bin/exec/R"],
        ),
        (
            "octave",
            "/usr/bin/octave",
            &["knapsack.m"],
            &["knapsack.m"],
            &["/usr/bin/octave-cli"],
        ),
        (
            "g++",
            "/usr/bin/g++",
            &["sum.cpp"],
            &["sum.cpp", "-o", "sum"],
            &["/usr/lib/gcc/x86_64-linux-gnu/12/cc1plus", "/usr/bin/ld"],
        ),
    ] {
        let project = bench.directory(name);
        for name in models {
            fs::copy(model(name), project.join(name)).expect("copy a model");
        }
        let command = json!({ "name": name, "executable": program, "mount-dependencies": "FILES" });
        let (learned, _) = assert_learnt(&bench, &project, &command, arguments);
        let proposals = learned["proposals"].as_array().expect("a list");
        for program in programs {
            let one = proposals.iter().find(|one| one["path"] == *program);
            let one = one.unwrap_or_else(|| panic!("{program}: {learned:#}"));
            assert_eq!(
                (&one["key"], &one["executed"]),
                (&json!("dlopen"), &json!(true))
            );
        }
        // A program's libraries are not proposed besides it.
        let libraries = paths(&learned);
        let libraries = libraries.iter().filter(|path| path.contains(".so."));
        assert!(libraries.count() < 4, "{learned:#}");
    }
}

#[test]
fn a_compiler_gets_what_it_executes_and_includes() {
    let bench = Bench::new();
    let project = bench.directory("project");
    let source = "#include <cstdio>\nint main() { std::puts(\"compiled\"); }\n";
    fs::write(project.join("x.cpp"), source).expect("write");
    let command = json!({ "name": "g++", "executable": "/usr/bin/g++" });
    let (learned, _) = assert_learnt(&bench, &project, &command, &["x.cpp", "-o", "x"]);
    assert!(project.join("x").exists());
    let proposals = learned["proposals"].as_array().expect("a list");
    let linker = proposals.iter().find(|one| {
        one["path"]
            .as_str()
            .is_some_and(|path| path.ends_with("/ld"))
    });
    let linker = linker.unwrap_or_else(|| panic!("no linker: {learned:#}"));
    assert_eq!(linker["executed"], true);
    assert_eq!(linker["directory"], false);
}

#[test]
fn a_solver_that_has_all_it_needs_needs_no_more() {
    let bench = Bench::new();
    let project = bench.directory("project");
    fs::copy(model("transport.mod"), project.join("transport.mod")).expect("copy");
    fs::copy(model("knapsack.lp"), project.join("knapsack.lp")).expect("copy");
    for (name, arguments) in [
        ("glpsol", &["--math", "transport.mod"][..]),
        ("cbc", &["knapsack.lp", "solve"]),
    ] {
        let executable = format!("/usr/bin/{name}");
        require_program(&executable, name);
        let command =
            json!({ "name": name, "executable": executable, "mount-dependencies": "FILES" });
        let learned = learn(&bench, &project, &command, arguments);
        assert_eq!(paths(&learned), [""; 0], "{learned:#}");
        assert!(learned["shown_already"].as_u64() > Some(2), "{learned:#}");
    }
}

#[test]
fn learning_changes_nothing_but_the_project() {
    let bench = Bench::new();
    let project = bench.directory("project");
    let outside = bench.directory("outside");
    let script = format!(
        "echo x > {0}/new; echo x > /etc/opt-learnt; echo x > mine; exit 0",
        outside.display()
    );
    let command = json!({ "name": "busybox", "executable": "/usr/bin/busybox" });
    let config = bench.config(&json!([command]));
    let before = fs::read(&config).expect("read");
    learn(&bench, &project, &command, &["sh", "-c", &script]);
    assert!(project.join("mine").exists());
    assert!(!outside.join("new").exists() && !Path::new("/etc/opt-learnt").exists());
    assert_eq!(fs::read(&config).expect("read"), before);
}

#[test]
fn the_table_gives_the_reasons() {
    let bench = Bench::new();
    let project = bench.directory("project");
    let wanted = bench.file("wanted.txt", "content");
    let command = json!({ "name": "busybox", "executable": "/usr/bin/busybox" });
    let config = bench.config(&json!([command]));
    let outcome = integration::Tool::new(integration::opt_server())
        .args(["learn", "--root"])
        .arg(bench.root())
        .arg("--config")
        .arg(&config)
        .args(["busybox", "cat"])
        .arg(&wanted)
        .current_dir(&project)
        .expect(0);
    let line = outcome
        .stdout
        .lines()
        .find(|line| line.contains("wanted.txt"));
    let line = line.unwrap_or_else(|| panic!("{outcome}"));
    assert!(line.ends_with("opened by busybox"), "{line}");
    assert_eq!(outcome.stderr, "content", "{outcome}");
}

/// The report of a command that fails.
fn explained(bench: &Bench, command: &Value, arguments: &[&str]) -> Value {
    let project = bench.directory("project");
    let report: PathBuf = bench.path("report.json");
    let outcome = bench
        .serve(&project, &json!([command]))
        .arg("--report")
        .arg(&report)
        .arg("--explain-failures")
        .arg(command["name"].as_str().expect("a name"))
        .args(arguments)
        .run();
    assert_ne!(outcome.code, Some(0), "{outcome}");
    bench.assert_nothing_left_by(&outcome);
    serde_json::from_slice(&fs::read(&report).expect("a report")).expect("JSON")
}

#[test]
fn the_report_names_what_is_not_mounted_and_the_key_that_admits_it() {
    let bench = Bench::new();
    require_program("/usr/bin/python3", "python3");
    let files = json!({
        "name": "python3", "executable": "/usr/bin/python3", "mount-dependencies": "FILES",
        "mount-readable": ["/usr/lib/python3.11"],
    });
    let report = explained(&bench, &files, &["-c", "import ctypes"]);
    let missing = report["not_mounted"].as_array().expect("a list");
    let libffi = missing.iter().find(|one| {
        one["path"]
            .as_str()
            .is_some_and(|path| path.contains("libffi.so"))
    });
    let libffi = libffi.unwrap_or_else(|| panic!("{report:#}"));
    assert_eq!(libffi["key"], "dlopen");
    // A file and a program.
    let busybox = json!({ "name": "busybox", "executable": "/usr/bin/busybox" });
    let wanted = bench.file("wanted.txt", "content");
    let wanted = wanted.to_str().expect("UTF-8");
    let script =
        format!("cat nothere; echo x > /var/x; cat {wanted} && exit 0; /usr/bin/cbc; exit 1");
    let report = explained(&bench, &busybox, &["sh", "-c", &script]);
    let missing: Vec<_> = report["not_mounted"]
        .as_array()
        .expect("a list")
        .iter()
        .collect();
    assert_eq!(missing.len(), 2, "{report:#}");
    assert_eq!(missing[0]["path"], "/usr/bin/cbc");
    assert_eq!(missing[1]["path"], wanted);
    assert_eq!(missing[1]["key"], "mount-readable");
    let hint = missing[1]["hint"].as_str().expect("a hint");
    assert!(
        hint.contains(wanted) && hint.contains("command \"busybox\""),
        "{hint}"
    );
}
