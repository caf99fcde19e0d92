//! The examples for engines are the lines of the documentation.

use std::fs;
use std::path::{Path, PathBuf};

/// Each engine's page has all lines of the engine's files: a file as a whole, but for comments at its beginning.
#[test]
fn every_example_stands_in_its_engines_page() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut count = 0;
    for engine in below(&top.join("dist/snippets")) {
        let name = engine.file_name().unwrap().to_str().unwrap();
        let page = top.join("docs").join(format!("{name}.md"));
        let page =
            fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        for file in below(&engine) {
            let text = fs::read_to_string(&file).unwrap();
            let is_remark = |line: &&str| line.starts_with("# ");
            let lines: Vec<&str> = text.lines().skip_while(is_remark).collect();
            let block = format!("\n{}\n```\n", lines.join("\n"));
            assert!(
                page.contains(&block),
                "{name}.md has not {}:\n{block}",
                file.display()
            );
            count += 1;
        }
    }
    assert!(count >= 7, "{count}");
}

/// In the page of each example's engine an installed path must be the one that hack/install replaces.
#[test]
fn examples_name_the_program_by_its_installed_path() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in below(&top.join("snippets"))
        .iter()
        .flat_map(|engine| below(engine))
    {
        let text = fs::read_to_string(&file).unwrap();
        for (at, _) in text.match_indices("bin/opt-") {
            assert!(text[..at].ends_with("/usr/"), "{}", file.display());
        }
    }
}

fn below(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
}
