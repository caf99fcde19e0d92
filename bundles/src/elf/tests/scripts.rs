//! Scripts, and the programs that read them.
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::elf::fixtures::Lab;
use crate::elf::{ElfError, Role};

/// The script itself and its interpreters, with their reasons.
fn interpreters(lab: &Lab, script: &Path) -> Result<Vec<(PathBuf, String)>, ElfError> {
    let mut resolver = lab.resolver();
    resolver
        .search_path
        .insert(0, lab.path("bin/x").parent().unwrap().to_owned());
    let resolution = resolver.resolve(script)?;
    let named = resolution
        .files
        .into_iter()
        .filter(|file| file.role == Role::ScriptInterpreter);
    Ok(named.map(|file| (file.path, file.reason)).collect())
}

#[test]
fn an_interpreter_comes_with_its_own_dependencies() {
    let lab = Lab::new();
    let script = lab.file("run", "#!/bin/sh -e\n", 0o755);
    let files = lab.resolver().resolve(&script).unwrap().files;
    assert_eq!((&files[0].path, files[0].role), (&script, Role::Executable));
    assert_eq!(
        (files[1].path.as_path(), files[1].role),
        (Path::new("/bin/sh"), Role::ScriptInterpreter)
    );
    assert_eq!(
        files[1].reason,
        format!("interpreter of script {} (#!)", script.display())
    );
    let shell = lab.resolver().resolve(Path::new("/bin/sh")).unwrap().files;
    assert_eq!(files[2..], shell[1..]);
}

#[test]
fn env_and_the_program_it_names_are_both_needed() {
    let lab = Lab::new();
    let tool = lab.program("bin/tool", &["-static"]);
    // On the way, but nothing that env would start.
    lab.file("bin/sh", "text", 0o644);
    for (line, program) in [
        ("#!/usr/bin/env tool\n", tool.clone()),
        ("#!/usr/bin/env -S tool --flag\n", tool.clone()),
        (
            &format!("#!/usr/bin/env {}\n", tool.display()),
            tool.clone(),
        ),
        ("#!/usr/bin/env sh\n", PathBuf::from("/usr/bin/sh")),
    ] {
        let script = lab.file("run", line, 0o755);
        let found = interpreters(&lab, &script).unwrap();
        let reasons = [
            (
                "/usr/bin/env".into(),
                format!("interpreter of script {} (#!)", script.display()),
            ),
            (
                program,
                format!("named by env in script {}", script.display()),
            ),
        ];
        assert_eq!(found, reasons, "{line}");
    }
    let script = lab.file("run", "#!/usr/bin/env absent-tool\n", 0o755);
    let error = interpreters(&lab, &script).unwrap_err();
    assert!(matches!(&error, ElfError::MissingProgram { program, .. } if program == "absent-tool"));
}

#[test]
fn an_interpreter_that_is_a_link_keeps_its_name() {
    let lab = Lab::new();
    let tool = lab.program("bin/tool", &["-static"]);
    let link = lab.path("bin/link");
    symlink(&tool, &link).unwrap();
    let script = lab.file("run", format!("#!{}\n", link.display()), 0o755);
    let files = lab.resolver().resolve(&script).unwrap().files;
    assert_eq!((&files[1].path, &files[1].canonical), (&link, &tool));
}

#[test]
fn what_cannot_be_followed_is_an_error() {
    let lab = Lab::new();
    let inner = lab.file("bin/inner", "#!/bin/sh\n", 0o755);
    let directly = format!("#!{}\n", inner.display());
    for (line, part) in [
        (directly.as_str(), "inner is itself a script"),
        ("#!/usr/bin/env inner\n", "inner is itself a script"),
        ("#!bin/sh\n", "not an absolute path"),
        ("#!/usr/bin/env bin/sh\n", "a relative path"),
        ("#!/usr/bin/env ..\n", "a relative path"),
        (
            "#!/nonexistent/sh\n",
            "needs the interpreter /nonexistent/sh, which cannot be opened",
        ),
        (
            "#!/bin/sh\r\n",
            "needs the interpreter /bin/sh\\r, which cannot be opened",
        ),
        ("#!/etc/passwd\n", "/etc/passwd is not an executable"),
    ] {
        let script = lab.file("run", line, 0o755);
        let error = interpreters(&lab, &script).unwrap_err().to_string();
        assert!(error.contains(part), "{line}: {error}");
    }
}
