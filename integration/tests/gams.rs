//! The real GAMS with its demo licence: solves, and a model can't get out at execMode=4.
//!
//! It is PyPI's `gamspy_base`, unpacked by `hack/test` into `.deps/gams`; `$OPT_GAMS_DIR` names another
//! directory. The demo licence is for half a year: without a newer one, what is left to see is that GAMS in the
//! sandbox comes as far as it does on the host.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use integration::{Bench, Outcome, Tool, gams, model, skip};

/// What GAMS says, and how it exits, when its time is over.
const EXPIRED: (&str, i32) = ("license expired", 7);

/// Whether GAMS runs on the host, by its own word. Tests that need it to solve or compile say that they had to be
/// left out.
fn has_licence() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    let has = *HAS.get_or_init(|| {
        let bench = Bench::new();
        let project = bench.directory("licence");
        fs::copy(model("transport.gms"), project.join("transport.gms")).expect("copy a model");
        let native = Tool::new(gams().join("gams"));
        let outcome = native
            .args(["transport.gms", "lo=3"])
            .current_dir(&project)
            .run();
        outcome.code != Some(EXPIRED.1) || !outcome.stdout.contains(EXPIRED.0)
    });
    if !has {
        skip("this GAMS's licence has expired; hint: a newer GAMS_VERSION in hack/test");
    }
    has
}

/// A project with the models, and the configuration that they carry.
fn serve(bench: &Bench, project: &Path) -> Tool {
    for name in ["transport.gms", "escape.gms", "escape-call.gms"] {
        fs::copy(model(name), project.join(name)).expect("copy a model");
    }
    let text = fs::read_to_string(model("gams.config.json")).expect("read");
    let gams = gams().display().to_string();
    let config = bench.file("gams.json", text.replace("@GAMS@", &gams));
    bench.serve_with(project, &config)
}

fn run(name: &str, arguments: &[&str]) -> (Bench, PathBuf, Outcome) {
    let bench = Bench::new();
    let project = bench.directory("project");
    let outcome = serve(&bench, &project).arg(name).args(arguments).run();
    bench.assert_nothing_left_by(&outcome);
    (bench, project, outcome)
}

#[test]
fn it_solves_a_linear_programme() {
    for name in ["gams", "gams-files", "gams-as-documented"] {
        let (_bench, _, outcome) = run(name, &["transport.gms", "lo=3"]);
        if !has_licence() {
            assert_eq!(outcome.code, Some(EXPIRED.1), "{name}: {outcome}");
            outcome.says(EXPIRED.0);
            continue;
        }
        assert_eq!(outcome.code, Some(0), "{name}: {outcome}");
        outcome
            .says("770.000000")
            .says("*** Status: Normal completion");
    }
}

/// Fails unless the model was refused with this error of GAMS's, and left nothing.
fn assert_stopped(model: &str, typed: &[&str], error: &str) {
    let (_bench, project, outcome) = run("gams", &[&[model], typed].concat());
    assert_eq!(outcome.code, Some(2), "{typed:?}: {outcome}");
    outcome.says(error).says("*** Status: Compilation error(s)");
    assert!(
        !project.join("leaked.txt").exists(),
        "{typed:?}: it got out"
    );
}

#[test]
fn execute_is_stopped_whatever_the_user_types() {
    if !has_licence() {
        return;
    }
    for typed in [
        &[][..],
        &["execMode=0"],
        &["execMode", "0"],
        &["user1="],
        &["o"],
        &["--x="],
    ] {
        assert_stopped("escape.gms", typed, "*** Error 543 in");
    }
}

#[test]
fn call_is_stopped_whatever_the_user_types() {
    if !has_licence() {
        return;
    }
    for typed in [&[][..], &["execMode=0"], &["lo=3", "execMode=1"]] {
        assert_stopped("escape-call.gms", typed, "*** Error 542 in");
    }
}

#[test]
fn an_empty_argument_is_refused() {
    for hidden in ["", " ", "\t"] {
        let (_bench, project, outcome) = run("gams", &["escape.gms", "execMode=0", hidden]);
        assert_eq!(outcome.code, Some(125), "{outcome}");
        assert!(
            outcome.one_line().contains("must not be empty"),
            "{outcome}"
        );
        assert!(!project.join("leaked.txt").exists());
    }
}

#[test]
fn the_sandbox_is_the_wall_where_exec_mode_is_not() {
    if !has_licence() {
        return;
    }
    // Natively, a model at execMode=0 does get out: the test above can fail.
    let bench = Bench::new();
    let project = bench.directory("native");
    fs::copy(model("escape.gms"), project.join("escape.gms")).expect("copy a model");
    let native = Tool::new(gams().join("gams"));
    native
        .args(["escape.gms", "execMode=0"])
        .current_dir(&project)
        .expect(0);
    assert!(
        project.join("leaked.txt").exists(),
        "the model can't get out at all"
    );
    // In the sandbox there is no shell to get out to.
    let config = format!(
        r#"{{"commands": [{{"name": "gams", "executable": "{0}/gams", "mount-readable": ["{0}"]}}]}}"#,
        gams().display()
    );
    let config = bench.file("bare.json", config);
    let project = bench.directory("sandboxed");
    fs::copy(model("escape.gms"), project.join("escape.gms")).expect("copy a model");
    let outcome = bench
        .serve_with(&project, &config)
        .args(["gams", "escape.gms", "execMode=0"])
        .run();
    assert_eq!(outcome.code, Some(3), "{outcome}");
    assert!(!project.join("leaked.txt").exists(), "{outcome}");
}
