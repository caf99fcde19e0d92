//! Where libraries are found.
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::elf::arch::Architecture;
use crate::elf::fixtures::Lab;
use crate::elf::image::Dynamic;
use crate::elf::search::Searcher;
use crate::elf::{ElfError, Role};

const RPATH: &str = "-Wl,--disable-new-dtags,-rpath,$ORIGIN/../lib";
const RUNPATH: &str = "-Wl,--enable-new-dtags,-rpath,$ORIGIN/../lib";

/// bin/run needs liba.so, which needs libb.so; both are in lib.
fn chain(program: &[&str], liba: &[&str]) -> (Lab, PathBuf) {
    let lab = Lab::new();
    lab.library("lib/libb.so", &[]);
    lab.library("lib/liba.so", &[&["lib/libb.so"], liba].concat());
    let program = lab.program("bin/run", &[&["lib/liba.so"], program].concat());
    (lab, program)
}

#[track_caller]
fn missing(result: Result<Vec<String>, ElfError>) -> (String, PathBuf, Vec<PathBuf>) {
    match result {
        Err(ElfError::MissingLibrary {
            name,
            needed_by,
            searched,
        }) => (name, needed_by, searched),
        other => panic!("{other:?}"),
    }
}

#[test]
fn rpath_is_inherited() {
    let (lab, program) = chain(&[RPATH], &[]);
    let found = lab.libraries(&program).unwrap();
    assert_eq!(found, ["bin/../lib/liba.so", "bin/../lib/libb.so"]);
    let files = lab.resolver().resolve(&program).unwrap().files;
    let run = program.display();
    let roles: Vec<_> = files
        .iter()
        .map(|file| (file.role, file.reason.as_str()))
        .collect();
    assert_eq!(
        roles,
        [
            (Role::Executable, "the command itself"),
            (
                Role::Interpreter,
                &format!("dynamic loader of {run} (PT_INTERP)")
            ),
            (
                Role::Library,
                &format!("needed by {run} through RPATH of {run}")
            ),
            (
                Role::Library,
                &format!(
                    "needed by {} through RPATH of {run}",
                    files[2].path.display()
                )
            ),
        ]
    );
    assert_eq!(files[2].canonical, lab.path("lib/liba.so"));
}

#[test]
fn runpath_is_not_inherited() {
    let (lab, program) = chain(&[RUNPATH], &[]);
    let (name, needed_by, searched) = missing(lab.libraries(&program));
    assert_eq!(
        (name.as_str(), needed_by),
        ("libb.so", lab.path("bin/../lib/liba.so"))
    );
    assert_eq!(searched[0], Path::new("/etc/ld.so.cache"));
    assert!(
        searched.contains(&PathBuf::from("/usr/lib")),
        "{searched:?}"
    );
}

#[test]
fn a_runpath_shuts_out_inherited_rpaths() {
    let (lab, program) = chain(&[RPATH], &["-Wl,--enable-new-dtags,-rpath,/nonexistent"]);
    let (name, _, searched) = missing(lab.libraries(&program));
    assert_eq!(
        (name.as_str(), &searched[0]),
        ("libb.so", &PathBuf::from("/nonexistent"))
    );
}

#[test]
fn each_library_has_its_own_runpath_and_origin() {
    let (lab, program) = chain(&[RUNPATH], &["-Wl,--enable-new-dtags,-rpath,${ORIGIN}"]);
    let found = lab.libraries(&program).unwrap();
    assert_eq!(found, ["bin/../lib/liba.so", "bin/../lib/libb.so"]);
}

#[test]
fn the_error_says_all_that_is_needed() {
    let (lab, program) = chain(&["-Wl,-rpath,/nonexistent/x"], &[]);
    let error = lab.libraries(&program).unwrap_err().to_string();
    let start = format!(
        "{} needs the library liba.so, which is in none of: /nonexistent/x, /etc/ld.so.cache, ",
        program.display()
    );
    assert!(error.starts_with(&start), "{error}");
}

#[test]
fn the_origin_of_a_linked_program_is_where_it_really_is() {
    let (lab, program) = chain(&[RPATH], &[]);
    let link = lab.path("elsewhere/deep/run");
    symlink(&program, &link).unwrap();
    let resolution = lab.resolver().resolve(&link).unwrap();
    assert_eq!(lab.names(&resolution)[0], "bin/../lib/liba.so");
    let first = &resolution.files[0];
    assert_eq!((&first.path, &first.canonical), (&link, &program));
}

#[test]
fn a_soname_that_is_loaded_satisfies_later_needs() {
    let lab = Lab::new();
    lab.library("other/libx.so.1", &[]);
    lab.library("lib/libx.so.1", &[]);
    // liba.so would find the other libx, were the program's own not there already.
    lab.library(
        "lib/liba.so",
        &["other/libx.so.1", "-Wl,-rpath,$ORIGIN/../other"],
    );
    let program = lab.program("bin/run", &["lib/liba.so", "lib/libx.so.1", RUNPATH]);
    let found = lab.libraries(&program).unwrap();
    assert_eq!(found, ["bin/../lib/liba.so", "bin/../lib/libx.so.1"]);
}

#[test]
fn a_soname_counts_whatever_name_the_library_was_found_by() {
    let lab = Lab::new();
    // Linked when libx.so had no soname, so the program asks for its file name.
    lab.gcc("lib/libx.so", "empty.c", &["-shared"]);
    lab.library("other/libx.so.1", &[]);
    let other = "-Wl,-rpath,$ORIGIN/../other";
    lab.library("lib/liba.so", &["other/libx.so.1", other]);
    let libraries = ["-Llib", "-l:liba.so", "-l:libx.so", RUNPATH];
    let program = lab.program("bin/run", &libraries);
    lab.gcc(
        "lib/libx.so",
        "empty.c",
        &["-shared", "-Wl,-soname,libx.so.1"],
    );
    let found = lab.libraries(&program).unwrap();
    assert_eq!(found, ["bin/../lib/liba.so", "bin/../lib/libx.so"]);
}

#[test]
fn a_second_name_for_one_file_is_listed_because_the_loader_opens_it() {
    let lab = Lab::new();
    let library = lab.gcc("lib/libx.so", "empty.c", &["-shared"]);
    let program = lab.path("bin/run");
    symlink(&library, lab.path("lib/liby.so")).unwrap();
    let libraries = ["-Llib", "-l:libx.so", "-l:liby.so", RUNPATH];
    lab.program("bin/run", &libraries);
    let resolution = lab.resolver().resolve(&program).unwrap();
    assert_eq!(
        lab.names(&resolution),
        ["bin/../lib/libx.so", "bin/../lib/liby.so"]
    );
    assert_eq!(resolution.files[2].canonical, library);
    assert_eq!(resolution.files[3].canonical, library);
}

#[test]
fn an_rpath_beside_a_runpath_is_as_if_it_were_not_there() {
    let lab = Lab::new();
    let resolver = lab.resolver();
    let x86_64 = Architecture {
        machine: object::elf::EM_X86_64.0,
        is_64: true,
        big_endian: false,
    };
    let paths = |loader: &str, rpath: Option<&str>, runpath: Option<&str>| {
        let dynamic = Dynamic {
            rpath: rpath.map(|path| path.as_bytes().to_owned()),
            runpath: runpath.map(|path| path.as_bytes().to_owned()),
            ..Dynamic::default()
        };
        let path = Path::new(loader);
        let searcher = Searcher::new(&resolver, path, x86_64, path).unwrap();
        let found = searcher.search_paths(&dynamic, Path::new("/o"));
        let text = |list: Vec<PathBuf>| std::env::join_paths(list).unwrap().into_string().unwrap();
        (text(found.inherited), found.own.map(text))
    };
    let (glibc, musl) = ("/lib/ld-linux.so.2", "/nonexistent/lib/ld-musl-x86_64.so.1");
    for (loader, rpath, runpath, inherited, own) in [
        (glibc, Some("/r"), None, "/r", None),
        (glibc, None, Some("/u"), "", Some("/u")),
        (glibc, Some("/r"), Some("/u"), "", Some("/u")),
        (glibc, Some("/r/:relative::/s//"), None, "/r:/s", None),
        (glibc, Some("$ORIGIN:/"), None, "/o:/", None),
        (musl, Some("/r"), None, "/r", None),
        (musl, Some("/r"), Some("/u"), "/u", None),
        (musl, Some("/r:$ORIGIN/x"), None, "/r:/o/x", None),
        (musl, Some("/r:$LIB"), None, "", None),
    ] {
        let expected = (inherited.to_owned(), own.map(str::to_owned));
        let case = format!("{loader} {rpath:?} {runpath:?}");
        assert_eq!(paths(loader, rpath, runpath), expected, "{case}");
    }
}

#[test]
fn a_name_with_a_slash_is_a_path() {
    let lab = Lab::new();
    let absolute = lab.path("lib/libx.so");
    let absolute = absolute.to_str().unwrap();
    lab.library("lib/libx.so", &[&format!("-Wl,-soname,{absolute}")]);
    let program = lab.program("bin/run", &["lib/libx.so"]);
    assert_eq!(lab.libraries(&program).unwrap(), ["lib/libx.so"]);

    lab.library("lib/liby.so", &["-Wl,-soname,$ORIGIN/../lib/liby.so"]);
    let program = lab.program("bin/run", &["lib/liby.so"]);
    assert_eq!(lab.libraries(&program).unwrap(), ["bin/../lib/liby.so"]);

    lab.library("lib/libz.so", &["-Wl,-soname,lib/libz.so"]);
    let program = lab.program("bin/run", &["lib/libz.so"]);
    let error = lab.resolver().resolve(&program).unwrap_err();
    assert!(matches!(&error, ElfError::RelativeLibrary { name, .. } if name == "lib/libz.so"));
}

#[test]
fn nodeflib_leaves_the_system_directories_out() {
    let (lab, program) = chain(&["-Wl,-z,nodefaultlib"], &[]);
    let mut resolver = lab.resolver();
    resolver.system_directories = Some(vec![lab.path("lib")]);
    let (name, _, _) = missing(resolver.resolve(&program).map(|found| lab.names(&found)));
    assert_eq!(name, "liba.so");

    let program = lab.program("bin/run", &["lib/liba.so"]);
    let found = resolver.resolve(&program).unwrap();
    assert_eq!(lab.names(&found), ["lib/liba.so", "lib/libb.so"]);
    let reason = format!("(found in {})", lab.path("lib").display());
    assert!(
        found.files[2].reason.ends_with(&reason),
        "{:?}",
        found.files[2]
    );
}

/// Has ldconfig(8) write a cache of the libraries in `directory`; where it is.
fn write_cache(lab: &Lab, directory: &str) -> PathBuf {
    let cache = lab.path("etc/ld.so.cache");
    let text = lab.path(directory).display().to_string();
    fs::write(lab.path("etc/ld.so.conf"), text).unwrap();
    let ldconfig = std::process::Command::new("/sbin/ldconfig")
        .args(["-X", "-i", "-f"])
        .args([lab.path("etc/ld.so.conf"), "-C".into(), cache.clone()])
        .status();
    assert!(ldconfig.unwrap().success());
    cache
}

#[test]
fn a_cache_that_was_changed_is_read_anew() {
    let (lab, program) = chain(&[], &[]);
    let cache = lab.path("etc/ld.so.cache");
    let mut resolver = lab.resolver();
    resolver.cache_path.clone_from(&cache);
    let resolver = resolver.renewed().unwrap();
    assert!(resolver.resolve(&program).is_err(), "there is none yet");
    write_cache(&lab, "lib");
    let resolver = resolver.renewed().unwrap();
    resolver.resolve(&program).unwrap();
    let found = fs::metadata(&cache).unwrap();
    fs::write(&cache, vec![0; found.len() as usize]).unwrap();
    let file = fs::File::options().write(true).open(&cache).unwrap();
    file.set_modified(found.modified().unwrap()).unwrap();
    assert!(
        resolver.renewed().is_err(),
        "neither its size nor its time shows it"
    );
}

#[test]
fn the_cache_comes_before_the_system_directories_and_is_reported_when_it_is_needed() {
    let (lab, program) = chain(&[], &[]);
    let cache = write_cache(&lab, "lib");
    let mut resolver = lab.resolver();
    resolver.cache = crate::elf::ldcache::LdCache::read(&cache).unwrap();
    resolver.cache_path.clone_from(&cache);
    let found = resolver.resolve(&program).unwrap();
    assert_eq!(lab.names(&found), ["lib/liba.so", "lib/libb.so"]);
    assert!(
        found.files[2].reason.ends_with("(found in ld.so.cache)"),
        "{:?}",
        found.files[2]
    );
    assert_eq!(found.loader_config, Some(cache));

    // Known to the loader anyway: the command can start without the cache.
    resolver.system_directories = Some(vec![lab.path("lib")]);
    let found = resolver.resolve(&program).unwrap();
    assert_eq!(found.loader_config, None);
}

#[test]
fn hwcaps_subdirectories_are_used_as_far_as_the_cpu_goes() {
    let (lab, program) = chain(&[RPATH], &[]);
    lab.library("lib/glibc-hwcaps/x86-64-v2/libb.so", &[]);
    lab.library("lib/glibc-hwcaps/x86-64-v3/libb.so", &[]);
    lab.libraries(&program).unwrap();
    for (hwcaps, expected) in [
        (vec![], "bin/../lib/libb.so"),
        (
            vec!["x86-64-v2"],
            "bin/../lib/glibc-hwcaps/x86-64-v2/libb.so",
        ),
        (
            vec!["x86-64-v3", "x86-64-v2"],
            "bin/../lib/glibc-hwcaps/x86-64-v3/libb.so",
        ),
    ] {
        let mut resolver = lab.resolver();
        resolver.hwcaps = hwcaps;
        let found = resolver.resolve(&program).unwrap();
        assert_eq!(lab.names(&found)[1], expected);
    }
}

#[test]
fn filters_are_needed_too_and_auxiliaries_if_they_are_there() {
    let lab = Lab::new();
    lab.library("lib/libfilter.so", &[]);
    lab.library(
        "lib/liba.so",
        &["-Wl,-F,libfilter.so", "-Wl,-f,libaux.so", RUNPATH],
    );
    let program = lab.program("bin/run", &["lib/liba.so", RUNPATH]);
    let found = lab.libraries(&program).unwrap();
    assert_eq!(
        found,
        ["bin/../lib/liba.so", "bin/../lib/../lib/libfilter.so"]
    );
    lab.library("lib/libaux.so", &[]);
    assert_eq!(lab.libraries(&program).unwrap().len(), 3);
}

#[test]
fn musl_has_its_own_search() {
    let lab = Lab::new();
    let loader = lab.gcc("lib/ld-musl-x86_64.so.1", "start.c", &["-shared"]);
    let loader = format!("-Wl,--dynamic-linker={}", loader.display());
    lab.library("extra/libb.so", &[]);
    lab.library("extra/libc.musl-x86_64.so.1", &[]);
    // RUNPATH is inherited, and libc is the loader.
    lab.library(
        "lib/liba.so",
        &["extra/libb.so", "extra/libc.musl-x86_64.so.1"],
    );
    let program = lab.program("bin/run", &["lib/liba.so", RUNPATH, &loader]);
    let resolver = lab.resolver();
    let (name, _, searched) = missing(resolver.resolve(&program).map(|_| Vec::new()));
    let expected = [
        &lab.path("bin/../lib"),
        Path::new("/lib"),
        Path::new("/usr/local/lib"),
    ];
    assert_eq!(
        (name.as_str(), &searched[..3]),
        ("libb.so", &expected.map(PathBuf::from)[..])
    );

    let list = format!("/nonexistent\n{}:relative\n", lab.path("extra").display());
    let config = lab.file("etc/ld-musl-x86_64.path", list, 0o644);
    let found = resolver.resolve(&program).unwrap();
    assert_eq!(lab.names(&found), ["bin/../lib/liba.so", "extra/libb.so"]);
    assert_eq!(found.loader_config, Some(config));
}
