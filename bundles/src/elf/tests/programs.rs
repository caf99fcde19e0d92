//! Static programs, missing loaders, other machines, and what is no program.
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::elf::fixtures::Lab;
use crate::elf::{ElfError, Resolver};

fn paths(lab: &Lab, program: &Path) -> Vec<PathBuf> {
    let files = lab.resolver().resolve(program).unwrap().files;
    files.into_iter().map(|file| file.path).collect()
}

#[test]
fn static_programs_need_only_themselves() {
    let lab = Lab::new();
    for flags in [&["-static"][..], &["-static-pie"], &["-static", "-no-pie"]] {
        let program = lab.gcc("bin/run", "start.c", flags);
        assert_eq!(paths(&lab, &program), [program], "{flags:?}");
    }
}

#[test]
fn a_program_of_the_host_needs_its_loader_and_libc() {
    let files = Resolver::host()
        .unwrap()
        .resolve(Path::new("/bin/sh"))
        .unwrap()
        .files;
    let names: Vec<_> = files
        .iter()
        .map(|file| file.path.file_name().unwrap().to_str().unwrap())
        .collect();
    assert!(names[1].starts_with("ld-"), "{names:?}");
    assert!(
        names.iter().any(|name| name.starts_with("libc.")),
        "{names:?}"
    );
    assert!(
        files
            .iter()
            .all(|file| file.canonical == file.path.canonicalize().unwrap())
    );
}

/// open(2) with O_CREAT | O_WRONLY and exit(2), without a libc that would want to be started properly.
#[cfg(target_arch = "x86_64")]
const LEAVE_A_MARK: &str = r#"
static long call(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}
void _start(void) { call(60, call(2, (long)MARKER, 0101, 0600) < 0, 0, 0); }
"#;

#[test]
#[cfg(target_arch = "x86_64")]
fn the_loader_is_never_run() {
    let lab = Lab::new();
    let marker = lab.path("marker");
    lab.file("evil.c", LEAVE_A_MARK, 0o644);
    let define = format!("-DMARKER=\"{}\"", marker.display());
    let evil = lab.gcc("lib/evil", "evil.c", &["-static-pie", &define]);
    let flag = format!("-Wl,--dynamic-linker={}", evil.display());
    let program = lab.program("bin/run", &[&flag]);
    assert_eq!(paths(&lab, &program), [program.clone(), evil]);
    assert!(!marker.exists());
    // The mark is real: the kernel does run it.
    assert!(Command::new(&program).status().unwrap().success());
    assert!(marker.exists());
}

#[test]
fn a_missing_loader_is_named() {
    let lab = Lab::new();
    let program = lab.program("bin/run", &["-Wl,--dynamic-linker=/nonexistent/ld.so"]);
    let error = lab.resolver().resolve(&program).unwrap_err();
    let expected = format!(
        "{} needs the dynamic loader /nonexistent/ld.so, which cannot be opened",
        program.display()
    );
    assert_eq!(error.to_string(), expected);
    assert!(matches!(error, ElfError::MissingLoader { .. }));
    let program = lab.program("bin/run", &["-Wl,--dynamic-linker=lib/ld.so"]);
    let error = lab.resolver().resolve(&program).unwrap_err();
    assert!(matches!(error, ElfError::Malformed { .. }), "{error}");
}

fn for_another_machine(path: &Path, to: &Path) {
    let mut bytes = fs::read(path).unwrap();
    bytes[18..20].copy_from_slice(&0xf00d_u16.to_le_bytes());
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::write(to, bytes).unwrap();
    fs::set_permissions(to, fs::metadata(path).unwrap().permissions()).unwrap();
}

#[test]
fn another_machine_is_told_from_a_missing_file() {
    let lab = Lab::new();
    let wrong = |lab: &Lab, program: &Path| match lab.resolver().resolve(program) {
        Err(ElfError::WrongArchitecture {
            path, wanted_by, ..
        }) => (path, wanted_by),
        other => panic!("{other:?}"),
    };
    let good = lab.library("good/libx.so", &[]);
    let rpath = format!(
        "-Wl,-rpath,{}:{}",
        lab.path("bad").display(),
        lab.path("good").display()
    );
    let program = lab.program("bin/run", &["good/libx.so", &rpath]);

    // The loader passes over it and finds the good one.
    let bad = lab.path("bad/libx.so");
    for_another_machine(&good, &bad);
    assert_eq!(lab.libraries(&program).unwrap(), ["good/libx.so"]);
    fs::remove_file(&good).unwrap();
    assert_eq!(wrong(&lab, &program), (bad, program.display().to_string()));

    let foreign = lab.path("bin/foreign");
    for_another_machine(&program, &foreign);
    assert_eq!(wrong(&lab, &foreign), (foreign, "this host".to_owned()));

    let evil = lab.gcc("lib/loader", "start.c", &["-static"]);
    for_another_machine(&evil.clone(), &evil);
    let flag = format!("-Wl,--dynamic-linker={}", evil.display());
    let program = lab.program("bin/run", &[&flag]);
    assert_eq!(wrong(&lab, &program), (evil, program.display().to_string()));
}

#[test]
fn what_the_kernel_would_not_run_is_refused() {
    let lab = Lab::new();
    let object = lab.gcc("x.o", "start.c", &["-c", "-Wl,-r"]);
    fs::set_permissions(&object, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let fifo = lab.path("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    for (path, part) in [
        (
            lab.path("directory/x").parent().unwrap().to_owned(),
            "it is a directory",
        ),
        (fifo, "not a regular file"),
        (PathBuf::from("/dev/null"), "not a regular file"),
        (lab.file("plain", "#!/bin/sh\n", 0o644), "no execute bit"),
        (
            lab.file("empty", "", 0o755),
            "neither an ELF file nor a script",
        ),
        (
            lab.file("text", "hello\n", 0o755),
            "neither an ELF file nor a script",
        ),
        (object, "object file"),
        (lab.library("libx.so", &[]), "no entry point"),
    ] {
        let error = lab.resolver().resolve(&path).unwrap_err();
        assert!(matches!(error, ElfError::NotExecutable { .. }), "{error:?}");
        assert!(error.to_string().contains(part), "{error}");
    }
    let error = lab.resolver().resolve(&lab.path("absent")).unwrap_err();
    assert!(matches!(error, ElfError::Read { .. }), "{error}");
    let error = lab.resolver().resolve(Path::new("bin/run")).unwrap_err();
    assert!(matches!(error, ElfError::NotAbsolute { .. }), "{error}");
}
