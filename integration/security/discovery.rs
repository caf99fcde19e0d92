//! What an executable needs is found by reading it: ldd(1) executes the interpreter that it names, which may be the
//! attacker's.

use std::path::{Path, PathBuf};

use integration::{Bench, Tool, host};
use serde_json::json;

/// Leaves a trace wherever it is executed, as a loader or by one.
const TRACE: &str = r#"
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void loaded(void) { close(open(TRACE, O_CREAT | O_WRONLY, 0644)); }
int main(void) { close(open(TRACE, O_CREAT | O_WRONLY, 0644)); return 0; }
"#;

/// The same without a C library: a loader has none.
const LOADER: &str = r#"
static long call(long number, long one, long two, long three) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(one), "S"(two), "d"(three) : "rcx", "r11", "memory");
    return result;
}
void _start(void) {
    call(2, (long)TRACE, 0101, 0644);
    call(60, 0, 0, 0);
}
"#;

fn compile(bench: &Bench, name: &str, code: &str, options: &[&str]) -> PathBuf {
    let output = bench.path(name);
    let source = bench.file(&format!("{name}.c"), code);
    let trace = format!("-DTRACE=\"{}\"", bench.path("traces/left").display());
    let gcc = Tool::new("gcc")
        .arg(trace)
        .arg("-o")
        .arg(&output)
        .arg(source);
    gcc.args(options).expect(0);
    output
}

fn traces(bench: &Bench) -> Vec<String> {
    host::names_in(&bench.path("traces"))
}

/// Makes a bundle of it, checks it and explains it.
fn discover(bench: &Bench, executable: &Path, name: &str) {
    let project = bench.directory("project");
    let config = bench.config(&json!([{ "name": "hostile", "executable": executable }]));
    let directory = bench.path(name);
    let bundle = bench.runtime().args(["bundle", "opt-server", "--output"]);
    let bundle = bundle.arg(&directory).arg("--config").arg(&config);
    let outcome = bundle.arg("--project").arg(project).arg("hostile").run();
    if outcome.code == Some(0) {
        for word in ["check", "explain"] {
            bench.runtime().arg(word).arg(&directory).run();
        }
    } else {
        assert_eq!(outcome.code, Some(125), "{outcome}");
        outcome.one_line();
    }
}

#[test]
fn an_executables_loader_and_libraries_are_never_executed_to_find_them() {
    let bench = Bench::new();
    bench.directory("traces");
    let loader = compile(
        &bench,
        "loader",
        LOADER,
        &["-static-pie", "-fPIE", "-nostdlib"],
    );
    let library = compile(&bench, "libhostile.so", TRACE, &["-shared", "-fPIC"]);
    let directory = bench.path("").display().to_string();
    let with_loader = compile(
        &bench,
        "with-loader",
        TRACE,
        &[&format!("-Wl,--dynamic-linker={}", loader.display())],
    );
    let with_library = compile(
        &bench,
        "with-library",
        TRACE,
        &[
            "-Wl,--no-as-needed",
            &format!("-L{directory}"),
            "-lhostile",
            &format!("-Wl,-rpath,{directory}"),
        ],
    );
    assert!(library.exists());
    let executables = [with_loader, with_library];
    for (number, executable) in executables.iter().enumerate() {
        discover(&bench, executable, &format!("bundle-{number}"));
        assert_eq!(traces(&bench), [""; 0], "{}", executable.display());
    }
    // The control: whoever executes them leaves the trace.
    for executable in executables {
        let _ = std::fs::remove_file(bench.path("traces/left"));
        Tool::new(&executable).run();
        assert_eq!(traces(&bench), ["left"], "{}", executable.display());
    }
}

/// What leads out of where libraries may be isn't followed there.
#[test]
fn a_run_path_that_climbs_brings_no_file_of_the_hosts() {
    let bench = Bench::new();
    bench.directory("traces");
    let secret = bench.directory("secret");
    let library = compile(&bench, "libsecret.so", TRACE, &["-shared", "-fPIC"]);
    std::fs::rename(&library, secret.join("libsecret.so")).expect("move");
    let secret = secret.display().to_string();
    let climbing = format!("-Wl,-rpath,$ORIGIN/../../../../../../../..{secret}");
    let executable = compile(
        &bench,
        "climbing",
        TRACE,
        &[
            "-Wl,--no-as-needed",
            &format!("-L{secret}"),
            "-lsecret",
            &climbing,
        ],
    );
    discover(&bench, &executable, "bundle");
    assert_eq!(traces(&bench), [""; 0]);
}
