//! Debian's solvers on models whose optimum is known, under DIRECTORIES and FILES.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use integration::{Bench, Outcome, model, program, require_program};
use serde_json::{Value, json};

const MODES: [&str; 2] = ["DIRECTORIES", "FILES"];
const MODELS: [&str; 4] = ["transport.mod", "knapsack.lp", "spawn.py", "imports.py"];

/// A project with the models in it.
fn project(bench: &Bench, name: &str) -> PathBuf {
    let project = bench.directory(name);
    copy_models(&project);
    project
}

fn copy_models(project: &Path) {
    for name in MODELS {
        fs::copy(model(name), project.join(name)).expect("copy a model");
    }
}

/// A command of the configuration that the models carry.
fn command(name: &str, mode: &str) -> Value {
    let name = if mode == "FILES" {
        format!("{name}-files")
    } else {
        name.to_owned()
    };
    let text = fs::read(model("config.json")).expect("read config.json");
    let config: Value = serde_json::from_slice(&text).expect("JSON");
    let commands = config["commands"].as_array().expect("commands");
    let found = commands.iter().find(|command| command["name"] == name);
    found.expect("the command").clone()
}

fn run(bench: &Bench, project: &Path, name: &str, mode: &str, arguments: &[&str]) -> Outcome {
    let command = command(name, mode);
    let program = command["executable"].as_str().expect("a path").to_owned();
    require_program(&program, name);
    let outcome = bench
        .serve(project, &json!([command]))
        .arg(command["name"].as_str().expect("a name"))
        .args(arguments)
        .expect(0);
    bench.assert_nothing_left_by(&outcome);
    outcome
}

#[test]
fn glpsol_finds_the_cheapest_transport() {
    let bench = Bench::new();
    for mode in MODES {
        let project = project(&bench, mode);
        let arguments = ["--math", "transport.mod", "--output", "plan.txt"];
        run(&bench, &project, "glpsol", mode, &arguments)
            .says("OPTIMAL LP SOLUTION FOUND")
            .says("total cost 520");
        let plan = fs::read_to_string(project.join("plan.txt")).expect("the result file");
        assert!(plan.contains("OPTIMAL"), "{plan}");
    }
}

#[test]
fn cbc_finds_the_best_knapsack() {
    let bench = Bench::new();
    for mode in MODES {
        let project = project(&bench, mode);
        let arguments = ["knapsack.lp", "solve", "solution", "knapsack.sol"];
        run(&bench, &project, "cbc", mode, &arguments)
            .says("Objective value:                119.0");
        let solution = fs::read_to_string(project.join("knapsack.sol")).expect("the result file");
        assert!(
            solution.starts_with("Optimal - objective value 119."),
            "{solution}"
        );
    }
}

#[test]
fn python_starts_a_child_and_writes_its_result() {
    let bench = Bench::new();
    for mode in MODES {
        let project = project(&bench, mode);
        run(&bench, &project, "python3", mode, &["spawn.py"])
            .says("optimum 408/7 chairs 24/7 tables 40/7");
        let result = fs::read(project.join("result.json")).expect("the result file");
        let result: Value = serde_json::from_slice(&result).expect("JSON");
        assert_ne!(result["child"], result["parent"]);
    }
}

#[test]
fn python_finds_the_libraries_of_its_modules() {
    let bench = Bench::new();
    for mode in MODES {
        let project = project(&bench, mode);
        let modules = [
            "imports.py",
            "json",
            "subprocess",
            "ctypes",
            "hashlib",
            "_hashlib",
        ];
        run(&bench, &project, "python3", mode, &modules)
            .says("imported ctypes")
            .says("imported _hashlib");
    }
}

#[test]
fn a_library_beside_a_needed_one_is_there_under_directories_and_absent_under_files() {
    let bench = Bench::new();
    let beside = "/usr/lib/x86_64-linux-gnu/libcrypt.so.1";
    let script = format!("import os; print('there', os.path.exists('{beside}'))");
    for (mode, there) in [("DIRECTORIES", "there True"), ("FILES", "there False")] {
        let project = project(&bench, mode);
        run(&bench, &project, "python3", mode, &["-c", &script]).says(there);
    }
}

#[test]
fn files_of_the_project_are_read_and_written_and_belong_to_its_owner() {
    let bench = Bench::new();
    for owner in [0, 1000] {
        let project = project(&bench, &format!("of-{owner}"));
        let private = fs::Permissions::from_mode(0o700);
        fs::set_permissions(&project, private).expect("chmod");
        for entry in fs::read_dir(&project).expect("read") {
            let path = entry.expect("an entry").path();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
            chown(path, Some(owner), Some(owner)).expect("chown");
        }
        chown(&project, Some(owner), Some(owner)).expect("chown");
        run(&bench, &project, "python3", "DIRECTORIES", &["spawn.py"]);
        let script = "import os; os.mkdir('sub'); open('sub/x', 'w'); os.remove('knapsack.lp'); \
                      open('transport.mod', 'a').write(' '); print(os.stat('.').st_uid)";
        run(&bench, &project, "python3", "DIRECTORIES", &["-c", script]).says("1\n");
        for name in ["result.json", "sub", "sub/x", "transport.mod"] {
            let metadata = project.join(name).metadata().expect("a file");
            assert_eq!((metadata.uid(), metadata.gid()), (owner, owner), "{name}");
        }
        assert!(!project.join("knapsack.lp").exists());
    }
}

#[test]
fn a_file_of_another_owner_in_the_project_stays_anothers() {
    let bench = Bench::new();
    let project = project(&bench, "project");
    chown(&project, Some(1000), Some(1000)).expect("chown");
    let secret = project.join("secret");
    fs::write(&secret, "root's").expect("write");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("chmod");
    let script = "import os\ntry:\n open('secret')\nexcept PermissionError: print('refused')\n\
                  try:\n os.chmod('secret', 0o777)\nexcept OSError: print('kept')";
    run(&bench, &project, "python3", "DIRECTORIES", &["-c", script])
        .says("refused")
        .says("kept");
}

#[test]
fn a_project_may_be_below_root_or_below_tmp() {
    for place in ["/root", "/tmp", "/run"] {
        let bench = Bench::below(Path::new(place));
        let project = project(&bench, "project");
        fs::set_permissions(&project, fs::Permissions::from_mode(0o700)).expect("chmod");
        run(
            &bench,
            &project,
            "glpsol",
            "DIRECTORIES",
            &["--math", "transport.mod"],
        )
        .says("total cost 520");
        run(
            &bench,
            &project,
            "glpsol",
            "FILES",
            &["--math", "transport.mod"],
        )
        .says("total cost 520");
    }
}

#[test]
fn the_project_flag_names_another_directory() {
    let bench = Bench::new();
    let project = project(&bench, "elsewhere");
    let here = bench.directory("here");
    let config = bench.config(&json!([command("glpsol", "DIRECTORIES")]));
    bench
        .serve_with(&here, &config)
        .arg("--project")
        .arg(&project)
        .args(["glpsol", "--math", "transport.mod"])
        .expect(0)
        .says("total cost 520");
}

#[test]
fn a_command_may_lie_in_a_directory_that_nobody_else_may_enter() {
    for place in ["/root", "/tmp"] {
        let bench = Bench::below(Path::new(place));
        let private = bench.directory("private");
        let program = private.join("solver");
        program::copy(["/usr/bin/glpsol"], &program);
        fs::set_permissions(&private, fs::Permissions::from_mode(0o700)).expect("chmod");
        let project = project(&bench, "project");
        let command = json!({ "name": "solver", "executable": program });
        bench
            .serve(&project, &json!([command]))
            .args(["solver", "--math", "transport.mod"])
            .expect(0)
            .says("total cost 520");
    }
}

#[test]
fn a_model_that_is_not_there_is_the_solvers_to_complain_about() {
    let bench = Bench::new();
    let project = project(&bench, "project");
    let config = bench.config(&json!([
        command("glpsol", "FILES"),
        command("python3", "FILES")
    ]));
    let glpsol =
        bench
            .serve_with(&project, &config)
            .args(["glpsol-files", "--math", "nothere.mod"]);
    glpsol.expect(1).says("nothere.mod");
    let python = bench
        .serve_with(&project, &config)
        .args(["python3-files", "nothere.py"]);
    let outcome = python.expect(2);
    assert!(outcome.stderr.contains("nothere.py"), "{outcome}");
    bench.assert_nothing_left_by(&outcome);
}

#[test]
fn appended_options_come_last_and_variables_are_set() {
    let bench = Bench::new();
    let project = bench.directory("project");
    let command = json!({
        "name": "show", "executable": "/usr/bin/busybox",
        "append-options": "--last 'two words'",
        "environment-variables": ["GREETING=good day", "LANG=de_DE"],
    });
    let script = "echo \"[$GREETING] [$LANG]\"; for word; do echo \"<$word>\"; done";
    let serve = || {
        bench
            .serve(&project, &json!([command]))
            .args(["show", "sh", "-c", script, "x"])
    };
    let outcome = serve().args(["--first", "*", "$HOME"]).expect(0);
    let wanted = "[good day] [de_DE]\n<--first>\n<*>\n<$HOME>\n<--last>\n<two words>\n";
    assert_eq!(outcome.stdout, wanted, "{outcome}");
    let refused = serve().arg("").expect(125);
    assert!(
        refused.one_line().contains("must not be empty"),
        "{refused}"
    );
}

#[test]
fn two_at_once_have_each_a_private_tmp() {
    let bench = Bench::new();
    let project = project(&bench, "project");
    let config = bench.config(&json!([command("python3", "DIRECTORIES")]));
    let leave = "import time; open('/tmp/mine', 'w'); open('/dev/shm/mine', 'w'); print('ready', flush=True); input()";
    let mut first = bench
        .serve_with(&project, &config)
        .args(["python3", "-c", leave])
        .start();
    first.wait_for("ready");
    let look = "import os; print(os.listdir('/tmp'), os.listdir('/dev/shm'))";
    bench
        .serve_with(&project, &config)
        .args(["python3", "-c", look])
        .expect(0)
        .says("[] []");
    first.write(b"\n");
    assert_eq!(first.finish().code, Some(0));
    assert!(!Path::new("/tmp/mine").exists());
}
