//! Files that were made to mislead: an error or another answer, in bounded time, and never a panic.
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::elf::fixtures::Lab;
use crate::elf::{ElfError, Resolver};

const RPATH: &str = "-Wl,-rpath,$ORIGIN/../lib";

fn with_library() -> (Lab, PathBuf, PathBuf) {
    let lab = Lab::new();
    let library = lab.library("lib/liba.so", &[]);
    let program = lab.program("bin/run", &["lib/liba.so", RPATH]);
    (lab, program, library)
}

#[test]
fn truncated_files_never_panic() {
    let (lab, program, library) = with_library();
    let loader = lab.gcc("lib/loader", "start.c", &["-static"]);
    let flag = format!("-Wl,--dynamic-linker={}", loader.display());
    let with_loader = lab.program("bin/second", &[&flag]);
    for (victim, program) in [
        (&program, &program),
        (&library, &program),
        (&loader, &with_loader),
    ] {
        let whole = fs::read(victim).unwrap();
        let mut refused = 0;
        for length in (0..whole.len()).step_by(64) {
            fs::write(victim, &whole[..length]).unwrap();
            match lab.resolver().resolve(program) {
                Err(ElfError::Malformed { path, .. }) => {
                    assert_eq!(path.canonicalize().unwrap(), *victim);
                    refused += 1;
                }
                Err(ElfError::NotExecutable { .. }) if length == 0 => {}
                // What is cut off at the end (sections, symbols) nobody needs to start.
                Ok(_) => assert!(length > 64),
                Err(error) => panic!("{} of {length} bytes: {error:?}", victim.display()),
            }
        }
        assert!(refused > 2, "{}", victim.display());
        fs::write(victim, &whole).unwrap();
    }
}

#[test]
fn damaged_headers_never_panic() {
    let (lab, program, library) = with_library();
    let resolver = lab.resolver();
    for victim in [&program, &library] {
        let whole = fs::read(victim).unwrap();
        let dynamic = dynamic_section(&whole);
        for at in (0..0x400).chain(dynamic).take_while(|at| *at < whole.len()) {
            for value in [0x00, 0x7f, 0xff, whole[at] ^ 1, whole[at] ^ 0x80] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                fs::write(victim, damaged).unwrap();
                let _ = resolver.resolve(&program);
            }
        }
        fs::write(victim, &whole).unwrap();
    }
    lab.libraries(&program).unwrap();
}

/// The file range of `PT_DYNAMIC`.
fn dynamic_section(bytes: &[u8]) -> std::ops::Range<usize> {
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    let headers = (0..).map(|index| word(32) + index * 56);
    let dynamic = headers
        .take(usize::from(bytes[56]))
        .find(|at| bytes[*at] == 2)
        .unwrap();
    word(dynamic + 8)..word(dynamic + 8) + word(dynamic + 32)
}

/// The error of a program whose bytes were changed so.
fn changed(change: impl FnOnce(&mut [u8])) -> ElfError {
    let (lab, program, _) = with_library();
    let mut bytes = fs::read(&program).unwrap();
    change(&mut bytes);
    fs::write(&program, bytes).unwrap();
    lab.resolver().resolve(&program).unwrap_err()
}

#[test]
fn program_headers_beyond_what_the_kernel_takes_are_refused_unread() {
    let error = changed(|bytes| bytes[56..58].copy_from_slice(&2000u16.to_le_bytes()));
    assert!(
        error.to_string().contains("bytes of program headers"),
        "{error}"
    );
}

#[test]
fn a_string_table_at_an_impossible_address_is_refused() {
    const DT_STRTAB: u8 = 5;
    for (address, why) in [
        (u64::MAX, "a string's address is impossible"),
        (1 << 40, "an address lies in no segment"),
    ] {
        let error = changed(|bytes| {
            let range = dynamic_section(bytes);
            let mut entries = bytes[range].chunks_exact_mut(16);
            let entry = entries.find(|entry| entry[0] == DT_STRTAB).unwrap();
            entry[8..].copy_from_slice(&u64::to_le_bytes(address));
        });
        assert!(error.to_string().contains(why), "{address:x}: {error}");
    }
}

/// Ten megabytes of needed libraries: read no further than the bounds go, and told in words that are none of them.
#[test]
fn a_huge_list_of_needed_libraries_costs_a_bounded_time() {
    const DT_NEEDED: u64 = 1;
    let list = |count: usize, end: bool| {
        let (lab, program, _) = with_library();
        let mut bytes = fs::read(&program).unwrap();
        let old = bytes[dynamic_section(&bytes)].to_vec();
        let needed = old.chunks_exact(16).find(|entry| entry[0] == 1).unwrap();
        let mut entries: Vec<u8> = needed.repeat(count);
        assert_eq!(needed[..8], DT_NEEDED.to_le_bytes());
        if end {
            entries.extend(&old);
        }
        let at = bytes.len().next_multiple_of(4096);
        bytes.resize(at, 0);
        bytes.extend(&entries);
        lead_to(&mut bytes, at, entries.len());
        fs::write(&program, bytes).unwrap();
        let began = std::time::Instant::now();
        let error = lab.resolver().resolve(&program).unwrap_err();
        // On a machine that is busy with a thousand other things, too.
        assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
        assert!(error.to_string().len() < 1000, "{error}");
        error.to_string()
    };
    // Whether it has an end or not: what is beyond the bound isn't looked at.
    for end in [false, true] {
        assert!(list(10 << 16, end).contains("bytes in the dynamic section"));
    }
    assert!(list(1 << 15, true).contains("needed libraries"));
}

/// Has `PT_DYNAMIC`, and the last segment that is loaded, lead to these bytes at the end of the file.
fn lead_to(bytes: &mut [u8], at: usize, length: usize) {
    const ADDRESS: u64 = 1 << 40;
    let word = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let first = word(bytes, 32) as usize;
    let headers = (0..usize::from(bytes[56])).map(|index| first + index * 56);
    let of = |bytes: &[u8], kind: u8| {
        let mut found = headers.clone().filter(|header| bytes[*header] == kind);
        found.next_back().unwrap()
    };
    for kind in [1, 2] {
        let header = of(bytes, kind);
        for (field, value) in [
            (8, at as u64),
            (16, ADDRESS),
            (24, ADDRESS),
            (32, length as u64),
            (40, length as u64),
        ] {
            bytes[header + field..header + field + 8].copy_from_slice(&value.to_le_bytes());
        }
    }
}

#[test]
fn only_regular_files_are_opened() {
    let (lab, program, library) = with_library();
    fs::remove_file(&library).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(&library)
            .status()
            .unwrap()
            .success()
    );
    let error = lab.resolver().resolve(&program).unwrap_err();
    assert!(matches!(error, ElfError::NotRegular { .. }), "{error}");
    fs::remove_file(&library).unwrap();
    fs::create_dir(&library).unwrap();
    let error = lab.resolver().resolve(&program).unwrap_err();
    assert!(matches!(error, ElfError::NotRegular { .. }), "{error}");
    fs::remove_dir(&library).unwrap();
    std::os::unix::fs::symlink("liba.so", &library).unwrap();
    let error = lab.resolver().resolve(&program).unwrap_err();
    assert!(matches!(error, ElfError::Read { .. }), "{error}");
}

#[track_caller]
fn limited(resolver: &Resolver, program: &Path) -> (&'static str, usize) {
    match resolver.resolve(program) {
        Err(ElfError::Limit { what, limit, .. }) => (what, limit),
        other => panic!("{other:?}"),
    }
}

#[test]
fn counts_are_bounded() {
    let lab = Lab::new();
    lab.library("lib/libc1.so", &[]);
    lab.library("lib/libb1.so", &["lib/libc1.so", RPATH]);
    lab.library("lib/liba1.so", &["lib/libb1.so", RPATH]);
    let program = lab.program("bin/run", &["lib/liba1.so", "lib/libb1.so", RPATH]);
    let mut resolver = lab.resolver();
    let set = |resolver: &mut Resolver| resolver.limits = Default::default();

    resolver.limits.needed = 1;
    assert_eq!(limited(&resolver, &program), ("needed libraries", 1));
    set(&mut resolver);
    resolver.limits.depth = 1;
    assert_eq!(
        limited(&resolver, &program),
        ("libraries that need each other in a row", 1)
    );
    set(&mut resolver);
    resolver.limits.files = 4;
    assert_eq!(limited(&resolver, &program), ("files for one command", 4));
    set(&mut resolver);
    resolver.limits.probes = 3;
    assert_eq!(
        limited(&resolver, &program),
        ("places to look for its libraries", 3)
    );
    set(&mut resolver);
    assert_eq!(lab.names(&resolver.resolve(&program).unwrap()).len(), 3);
}

#[test]
fn libraries_that_need_each_other_come_to_an_end() {
    let lab = Lab::new();
    lab.library("lib/libb.so", &[]);
    lab.library("lib/liba.so", &["lib/libb.so", RPATH]);
    lab.library("lib/libb.so", &["lib/liba.so", RPATH]);
    let program = lab.program("bin/run", &["lib/liba.so", RPATH]);
    assert_eq!(lab.libraries(&program).unwrap().len(), 2);
}

/// Ten thousand directories and an endless `$ORIGIN/../..` cost a bounded time.
#[test]
fn a_huge_search_path_costs_a_bounded_time() {
    let lab = Lab::new();
    lab.library("lib/libb.so", &[]);
    let up = format!("-Wl,-rpath,$ORIGIN{}", "/..".repeat(1000));
    lab.library("lib/liba.so", &["lib/libb.so", &up]);
    let many: String = (0..5_000)
        .map(|index| format!("/nonexistent/{index}:"))
        .collect();
    let path = format!("-Wl,--disable-new-dtags,-rpath,{many}");
    let program = lab.program("bin/run", &["lib/liba.so", &path]);
    let error = lab.resolver().resolve(&program).unwrap_err();
    assert!(matches!(error, ElfError::Limit { .. }), "{error}");
    assert!(error.to_string().len() < 1000, "{error}");
}

/// A name that would rewrite a terminal's screen is shown escaped.
#[test]
fn control_characters_in_names_are_escaped() {
    let lab = Lab::new();
    lab.library("lib/liba.so", &["-Wl,-soname,\u{1b}[2Jliba.so\nx"]);
    let program = lab.program("bin/run", &["lib/liba.so"]);
    let error = lab.resolver().resolve(&program).unwrap_err().to_string();
    assert!(
        error.contains("needs the library \\u{1b}[2Jliba.so\\nx"),
        "{error}"
    );
    assert!(!error.chars().any(char::is_control));
}
