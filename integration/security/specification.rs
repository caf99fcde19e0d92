//! SPECIFICATION.md at the top: each test that it names is there.

use std::fs;
use std::path::Path;

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

#[test]
fn each_promise_names_a_test_that_is_there_or_is_pending() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(top.join("SPECIFICATION.md")).expect("the specification");
    let is_promise = |line: &&str| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit();
    let promises: Vec<&str> = text.lines().filter(is_promise).collect();
    assert!(promises.len() > 40, "{} promises", promises.len());
    for promise in promises {
        let cell = promise
            .trim_end_matches('|')
            .rsplit('|')
            .next()
            .expect("a cell");
        let tests = links(cell);
        assert!(
            !tests.is_empty() || cell.contains("pending"),
            "neither a test nor pending: {promise}"
        );
        for (name, path) in tests {
            let code = fs::read_to_string(top.join(path));
            let code = code.unwrap_or_else(|error| panic!("{path}: {error}"));
            // Some are made by a macro from a list of names.
            let is_there =
                code.contains(&format!("fn {name}()")) || code.contains(&format!("    {name} =>"));
            assert!(is_there, "there is no test {name} in {path}");
        }
    }
}

#[test]
fn what_security_links_to_is_there() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(top.join("SECURITY.md")).expect("it");
    let found: Vec<_> = text.lines().flat_map(links).collect();
    assert!(found.len() > 6, "{found:?}");
    for (_, path) in found {
        let path = path.split('#').next().expect("a path");
        assert!(top.join(path).exists(), "{path}");
    }
}
