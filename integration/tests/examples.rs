//! The examples of `docs/examples`: each is run as it stands, and has no entry that its command could do without.
//!
//! They name programs below /opt too: there, in a mount namespace of the test's own, is a directory of the test's.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use integration::{Bench, Outcome, Tool, gams, host, model, program};
use serde_json::{Value, json};

/// Where the examples are.
fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples")
}

/// An example, with the models as project.
struct Example {
    name: &'static str,
    bench: Bench,
    project: PathBuf,
    /// What is below /opt.
    opt: PathBuf,
    config: Value,
    /// What is mounted besides, as a script.
    mounts: String,
}

impl Example {
    fn new(name: &'static str) -> Self {
        let bench = Bench::new();
        let project = bench.directory("project");
        let models = model("README.md");
        let models = models.parent().expect("a directory");
        for name in host::names_in(models) {
            fs::copy(models.join(&name), project.join(&name)).expect("copy a model");
        }
        // As a configuration it has no business there, and would be shown read-only.
        fs::remove_file(project.join("config.json")).expect("remove");
        let opt = bench.directory("opt");
        let scripts = bench.directory("opt/opt-server/bin");
        for name in host::names_in(&examples().join("bin")) {
            program::copy([examples().join("bin").join(&name)], &scripts);
        }
        let path = examples().join(format!("{name}.json"));
        let text = fs::read(&path).expect("read an example");
        let mounts = format!("mount --bind {} /opt", opt.display());
        Self {
            name,
            config: serde_json::from_slice(&text).expect("JSON"),
            bench,
            project,
            opt,
            mounts,
        }
    }

    fn run_with(&self, config: &Value, line: &[&str]) -> Outcome {
        let config = self.bench.file("config.json", config.to_string());
        let outcome = Tool::new(integration::opt_server())
            .args(["run", "--strict", "--root"])
            .arg(self.bench.root())
            .arg("--config")
            .arg(config)
            .args(line)
            .current_dir(&self.project)
            .after(&self.mounts)
            .run();
        self.bench.assert_nothing_left_by(&outcome);
        outcome
    }

    /// Runs a command line as the example stands; and it is another run without any of the example's entries.
    #[track_caller]
    fn tries(&self, line: &[&str]) -> Outcome {
        let whole = self.run_with(&self.config, line);
        assert_eq!(whole.code, Some(0), "{whole}");
        if self.name != "r" {
            self.audit_finds(&[]);
        }
        for (entry, without) in without_each(&self.config, line[0]) {
            let outcome = self.run_with(&without, line);
            let is_same = |of: fn(&Outcome) -> &str| of(&outcome) == of(&whole);
            assert!(
                outcome.code != whole.code
                    || !is_same(|outcome| &outcome.stdout)
                    || !is_same(|outcome| &outcome.stderr),
                "does without {entry}: {outcome}"
            );
        }
        whole
    }

    /// Fails unless these are the errors that the audit finds, by their rules' names.
    #[track_caller]
    fn audit_finds(&self, rules: &[&str]) {
        let config = self.bench.file("config.json", self.config.to_string());
        let outcome = Tool::new(integration::opt_server())
            .args(["audit", "--json", "--config"])
            .arg(config)
            .after(&self.mounts)
            .run();
        let audit: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
        let findings = audit["findings"].as_array().expect("findings");
        let errors = findings.iter().filter(|one| one["level"] == "error");
        let found: Vec<_> = errors.map(|one| one["rule"].as_str()).collect();
        assert_eq!(
            found,
            rules.iter().map(|rule| Some(*rule)).collect::<Vec<_>>(),
            "{outcome}"
        );
    }

    /// What the command prints on the host.
    fn on_the_host(&self, program: &str, arguments: &[&str]) -> Outcome {
        Tool::new(program)
            .args(arguments)
            .current_dir(&self.project)
            .after(&self.mounts)
            .run()
    }

    /// Compiles a C++ program.
    fn compiles(&self, arguments: &[&str]) {
        let tool = Tool::new("g++").args(arguments);
        tool.current_dir(&self.project)
            .after(&self.mounts)
            .expect(0);
    }
}

/// The configuration without one entry of a command's `mount-readable` or `dlopen`, for each of them.
fn without_each(config: &Value, command: &str) -> Vec<(String, Value)> {
    let commands = config["commands"].as_array().expect("commands");
    let at = commands.iter().position(|one| one["name"] == command);
    let at = at.expect("the command");
    let lists = ["mount-readable", "x-opt-runtime/dlopen"];
    let mut all = vec![];
    for list in lists.map(|list| format!("/commands/{at}/{list}")) {
        let entries = config.pointer(&list).and_then(Value::as_array);
        for (number, entry) in entries.into_iter().flatten().enumerate() {
            let mut without = config.clone();
            let entries = without.pointer_mut(&list).and_then(Value::as_array_mut);
            entries.expect("a list").remove(number);
            all.push((entry.to_string(), without));
        }
    }
    all
}

#[test]
fn each_has_a_test_here() {
    let tests = include_str!("examples.rs");
    let mut names = host::names_in(&examples());
    names.retain(|name| name.ends_with(".json"));
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        let name = name.trim_end_matches(".json");
        let made = format!("Example::new(\"{name}\")");
        assert!(
            tests.contains(&made),
            "docs/examples/{name}.json isn't tried"
        );
    }
}

#[test]
fn solvers_find_the_optimum() {
    Example::new("glpsol")
        .tries(&["glpsol", "--math", "transport.mod"])
        .says("total cost 520");
    Example::new("cbc")
        .tries(&["cbc", "knapsack.lp", "solve"])
        .says("Objective value:                119.0");
    Example::new("lp_solve")
        .tries(&["lp_solve", "-S3", "knapsack.lps"])
        .says("Value of objective function: 119.0");
}

#[test]
fn minizinc_starts_its_solver() {
    let example = Example::new("minizinc");
    example
        .tries(&["minizinc", "knapsack.mzn"])
        .says("worth 119\n----------\n==========\n");
}

#[test]
fn gams_comes_as_far_as_on_the_host() {
    let mut example = Example::new("gams");
    fs::create_dir(example.opt.join("gams")).expect("a directory");
    let mount = format!("\nmount --bind {} /opt/gams", gams().display());
    example.mounts.push_str(&mount);
    let line = ["gams", "transport.gms", "lo=3"];
    let outcome = example.run_with(&example.config, &line);
    let native = example.on_the_host("/opt/gams/gams", &line[1..]);
    assert_eq!(outcome.code, native.code, "{outcome}\n{native}");
    outcome.says("--- Job transport.gms Stop");
}

#[test]
fn python_has_its_whole_library() {
    let example = Example::new("python3");
    let outcome = example.tries(&["python3", "modules.py"]);
    let native = example.on_the_host("/usr/bin/python3", &["modules.py"]);
    assert_eq!(outcome.stdout, native.stdout);
    outcome.says("\nctypes\n").says("\nsqlite3\n");
}

#[test]
fn numpy_solves_a_system() {
    let example = Example::new("numpy");
    example.tries(&["python3", "linear.py"]).says("x 0.8 1.4\n");
}

/// As pyenv lays its builds out.
#[test]
fn a_python_that_was_built_elsewhere_has_its_own_library() {
    let example = Example::new("pyenv");
    let root = example.bench.directory("opt/pyenv");
    let build = example.bench.directory("opt/pyenv/versions/3.11.2");
    for directory in ["bin", "lib", "../../shims", "../../libexec"] {
        fs::create_dir(build.join(directory)).expect("a directory");
    }
    program::copy(["/usr/bin/python3.11"], &build.join("bin"));
    symlink("python3.11", build.join("bin/python")).expect("a link");
    Tool::new("cp")
        .args(["-r", "/usr/lib/python3.11"])
        .arg(build.join("lib"))
        .expect(0);
    let outcome = example.tries(&["python", "modules.py"]);
    let native = example.on_the_host("/opt/pyenv/versions/3.11.2/bin/python", &["modules.py"]);
    assert_eq!(outcome.stdout, native.stdout);
    let where_from = "import json, sys; print(sys.prefix, json.__file__)";
    example
        .run_with(&example.config, &["python", "-c", where_from])
        .says("/opt/pyenv/versions/3.11.2 /opt/pyenv/versions/3.11.2/lib/python3.11/json/");

    // The command that pyenv puts on PATH is a script that starts another.
    let shim = root.join("shims/python");
    let script = "#!/bin/sh\nexec /opt/pyenv/libexec/pyenv exec python \"$@\"\n";
    for (path, script) in [
        (&shim, script),
        (&root.join("libexec/pyenv"), "#!/bin/sh\n"),
    ] {
        program::write(path, script);
    }
    let mut config = example.config.clone();
    config["commands"][0]["executable"] = json!("/opt/pyenv/shims/python");
    let outcome = example.run_with(&config, &["python", "modules.py"]);
    assert_eq!(outcome.code, Some(127), "{outcome}");
    assert!(outcome.stderr.contains("libexec/pyenv"), "{outcome}");
}

#[test]
fn r_has_its_packages() {
    let example = Example::new("r");
    // R can't start without a shell.
    example.audit_finds(&["shell-mounted", "shell-mounted"]);
    for line in [&["R", "-f", "linear.R"][..], &["Rscript", "linear.R"]] {
        example.tries(line).says("x 0.8 1.4\nline -17.579 3.932\n");
    }
}

#[test]
fn octave_has_its_functions() {
    let example = Example::new("octave");
    example
        .tries(&["octave", "knapsack.m"])
        .says("worth 119 weight 50\nx 0.8 1.4\n");
}

#[test]
fn a_program_is_compiled_and_run() {
    let example = Example::new("g++");
    let line = ["g++", "-O2", "sum.cpp", "-o", "sum"];
    example.tries(&line);
    // The last of those runs was one that failed, and took the program away.
    example.run_with(&example.config, &line);
    let sum = example.project.join("sum");
    Tool::new(&sum).args(["20", "22"]).expect(0).says("sum 42");
    example
        .tries(&["compile-and-run", "sum.cpp", "20", "-4"])
        .says("sum 16\n");
}

#[test]
fn a_script_starts_what_was_named_for_it() {
    let example = Example::new("script");
    let outcome = example.tries(&["solve", "transport.mod"]);
    assert_eq!(outcome.stdout, "optimum 520\n");
    let outcome = example.run_with(&example.config, &["solve", "nothere.mod"]);
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(outcome.stderr.contains("nothere.mod"), "{outcome}");
}

#[test]
fn a_static_program_needs_nothing() {
    let example = Example::new("static");
    example.bench.directory("opt/solver");
    example.compiles(&["-static", "sum.cpp", "-o", "/opt/solver/solver"]);
    example.tries(&["solver", "1", "2", "3"]).says("sum 6\n");
}

#[test]
fn a_link_leads_to_the_release_in_use_and_its_library() {
    let example = Example::new("link");
    for release in ["1.0", "2.0"] {
        for directory in ["bin", "lib"] {
            example
                .bench
                .directory(&format!("opt/solver/{release}/{directory}"));
        }
        let place = format!("/opt/solver/{release}");
        let library = format!("const char *release() {{ return \"{release}\"; }}\n");
        let program =
            "#include <cstdio>\nconst char *release();\nint main() { puts(release()); }\n";
        fs::write(example.project.join("library.cpp"), library).expect("write");
        fs::write(example.project.join("program.cpp"), program).expect("write");
        let shared = format!("{place}/lib/librelease.so");
        example.compiles(&[
            "-shared",
            "-fPIC",
            "-Wl,-soname,librelease.so",
            "library.cpp",
            "-o",
            &shared,
        ]);
        let solver = format!("{place}/bin/solver");
        let path = "-Wl,--enable-new-dtags,-rpath,$ORIGIN/../lib";
        example.compiles(&["program.cpp", &shared, path, "-o", &solver]);
    }
    let current = example.opt.join("solver/current");
    for release in ["1.0", "2.0"] {
        let _ = fs::remove_file(&current);
        symlink(release, &current).expect("a link");
        let outcome = example.tries(&["solver"]);
        assert_eq!(outcome.stdout, format!("{release}\n"));
    }
}

#[test]
fn an_alternative_leads_to_the_program_that_is_installed() {
    let example = Example::new("alternatives");
    let link = fs::read_link("/usr/bin/awk").expect("a link");
    assert_eq!(link, Path::new("/etc/alternatives/awk"));
    let line = ["awk", "{ sum += $2 } END { print sum }", "numbers"];
    fs::write(example.project.join("numbers"), "a 19\nb 23\n").expect("write");
    let outcome = example.tries(&line);
    assert_eq!(outcome.stdout, "42\n");
}
