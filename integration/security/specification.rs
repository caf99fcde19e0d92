//! SPECIFICATION.md at the top: each promise has a number, a machine and a test that is there. Likewise each published
//! attack. And in every page: what is linked to is there, too.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where a promise can hold.
const MACHINES: [&str; 5] = ["any", "v1", "v2", "hybrid", "measured"];

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The links `[name](path)` in a line.
fn links(line: &str) -> Vec<(&str, &str)> {
    let ends = line.match_indices("](");
    ends.filter_map(|(at, _)| {
        let name = line[..at].rsplit('[').next()?;
        let path = line[at + 2..].split(')').next()?;
        Some((name, path))
    })
    .collect()
}

/// Whether `code` has a test of this name that is run: by its attribute, or made by a macro from a list of names.
fn has_test(code: &str, name: &str) -> bool {
    if code.contains(&format!("    {name} =>")) {
        let code: String = code.split_whitespace().collect();
        return code.contains("#[test]fn$name()");
    }
    let Some((before, _)) = code.split_once(&format!("fn {name}()")) else {
        return false;
    };
    // What stands right before it: attributes, and comments among them.
    let lines = before.lines().rev().map(str::trim);
    let attributes = lines
        .take_while(|line| line.is_empty() || line.starts_with("#[") || line.starts_with("//"));
    let attributes: Vec<&str> = attributes.collect();
    attributes.contains(&"#[test]")
}

/// The promises' cells: number, promise, machine, test.
fn promises(text: &str) -> Vec<[&str; 4]> {
    let is_promise = |line: &&str| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit();
    text.lines()
        .filter(is_promise)
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            cells
                .try_into()
                .unwrap_or_else(|_| panic!("four cells: {line}"))
        })
        .collect()
}

#[test]
fn each_promise_names_a_test_that_is_there_or_is_pending() {
    let text = read(&top().join("SPECIFICATION.md"));
    let promises = promises(&text);
    assert!(promises.len() > 40, "{} promises", promises.len());
    for [number, promise, machine, cell] in promises {
        assert!(!promise.is_empty(), "{number}");
        assert!(MACHINES.contains(&machine), "{number}: {machine}");
        let tests = links(cell);
        assert!(
            !tests.is_empty() || cell.contains("pending"),
            "neither a test nor pending: {number} {promise}"
        );
        for (name, path) in tests {
            let code = read(&top().join(path));
            assert!(has_test(&code, name), "there is no test {name} in {path}");
        }
    }
}

#[test]
fn promises_are_numbered_without_a_gap() {
    let text = read(&top().join("SPECIFICATION.md"));
    let mut last = (0, 0);
    for [number, ..] in promises(&text) {
        let (section, place) = number.split_once('.').expect("a section and a place");
        let this: (u32, u32) = (
            section.parse().expect("a number"),
            place.parse().expect("a number"),
        );
        let next = [(last.0, last.1 + 1), (last.0 + 1, 1)];
        assert!(next.contains(&this), "{number} after {last:?}");
        last = this;
    }
}

#[test]
fn a_test_that_is_named_but_not_run_is_seen() {
    let code = "#[test]\n#[ignore]\n/// Why.\nfn one() {}\nfn two() {}\n";
    assert!(has_test(code, "one"));
    assert!(!has_test(code, "two") && !has_test(code, "three"));
}

#[test]
fn each_published_attack_has_its_row() {
    let page = top().join("docs/published-attacks.md");
    let text = read(&page);
    let rows = text_lines(&text).filter(|line| line.starts_with("| ") && line.contains("](../"));
    let mut named = BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [_, _, taken_out, _] = cells[..] else {
            panic!("four cells: {row}");
        };
        assert!(taken_out.len() > 10, "what was taken out: {row}");
        for (name, path) in links(cells[1]) {
            let path = top().join("docs").join(path);
            assert!(has_test(&read(&path), name), "{name} in {}", path.display());
            named.insert(path.file_name().expect("a name").to_owned());
        }
    }
    let mut files = integration::host::names_in(&top().join("integration/security"));
    files.retain(|name| name.starts_with("cve_"));
    assert!(files.len() > 15, "{files:?}");
    for file in files {
        assert!(
            named.contains(file.as_ref() as &std::ffi::OsStr),
            "{file} has no row"
        );
    }
}

/// The pages of the project.
fn pages() -> Vec<PathBuf> {
    let mut waiting = vec![top()];
    let mut found = vec![];
    while let Some(directory) = waiting.pop() {
        for name in integration::host::names_in(&directory) {
            let path = directory.join(&name);
            if name.ends_with(".md") {
                found.push(path);
            } else if path.is_dir() && !name.starts_with('.') && name != "target" {
                waiting.push(path);
            }
        }
    }
    found
}

/// The lines that are text: no example of anything.
fn text_lines(page: &str) -> impl Iterator<Item = &str> {
    let mut is_example = false;
    page.lines().filter(move |line| {
        if line.trim_start().starts_with("```") {
            is_example = !is_example;
            return false;
        }
        !is_example
    })
}

/// What a page's headings are linked to by.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = text_lines(page).filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let kept = line.trim_start_matches('#').trim().chars().filter_map(|c| {
                let c = c.to_ascii_lowercase();
                match c {
                    ' ' => Some('-'),
                    '-' | '_' => Some(c),
                    _ => c.is_alphanumeric().then_some(c),
                }
            });
            kept.collect()
        })
        .collect()
}

#[test]
fn what_a_page_links_to_is_there() {
    let mut count = 0;
    let mut wrong = vec![];
    for page in pages() {
        let text = read(&page);
        for (_, link) in text_lines(&text).flat_map(links) {
            if link.contains("://") {
                continue;
            }
            count += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => page.clone(),
                _ => page.parent().expect("a directory").join(path),
            };
            let is_there = match anchor {
                "" => target.exists(),
                _ => fs::read_to_string(&target).is_ok_and(|text| anchors(&text).contains(anchor)),
            };
            if !is_there {
                wrong.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(count > 200, "{count} links");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
