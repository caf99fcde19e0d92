//! `docs/attempts.md`, made by `hack/attempts-table`: what was tried, what is expected, what came of it.

use std::fmt::Write;
use std::fs;

use serde_json::Value;

use super::columns::{self, Column};
use super::{Allowed, allowed, attempts, has_succeeded, reason};

const HEAD: &str = "# Attempts

What a hostile program tries from inside, and what comes of it. `hack/attempts-table` made this page: it runs
`integration/hostile` in a sealed bundle of an Opt-Server's command, in one of Shifter's, by `exec` into both, as an
ordinary user's sealed bundle without root, and, for comparison, in the default bundles of runc (`runc spec`) and podman
(`podman run --network none`), both as root. The test `nothing_succeeds_in_a_sealed_bundle_but_what_is_known_and_harmless`
fails when one of our columns differs from what is expected.

**no**: refused; the errno is in the cell. **yes**: it succeeded. What is there and empty counts as refused (ENODATA).
An attempt that succeeds in a peer's bundle isn't a defect of the peer's: its defaults promise less, and many can be
set otherwise.
";

/// The page.
fn page(columns: &[Column]) -> String {
    let allowed = allowed();
    let attempts = attempts();
    let mut page = HEAD.to_owned();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let _ = writeln!(
        page,
        "\nMade on Linux {}, cgroups {:?}.\n",
        kernel.trim(),
        integration::cgroup::layout()
    );
    totals(&mut page, columns, &attempts);
    let mut family = "";
    for (of, attempt) in &attempts {
        if family != of {
            family = of;
            let _ = writeln!(page, "\n## {family}\n");
            let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
            let _ = writeln!(page, "| attempt | expected | {} |", names.join(" | "));
            let _ = writeln!(page, "|{}", "---|".repeat(columns.len() + 2));
        }
        let cells: Vec<String> = columns
            .iter()
            .map(|column| cell(&column.report[attempt]))
            .collect();
        let _ = writeln!(
            page,
            "| {attempt} | {} | {} |",
            expected(&allowed, attempt),
            cells.join(" | ")
        );
    }
    why(&mut page, &allowed);
    page
}

fn totals(page: &mut String, columns: &[Column], attempts: &[(String, String)]) {
    let _ = writeln!(page, "| bundle | attempts | succeeded |\n|---|---|---|");
    for column in columns {
        let succeeded = attempts
            .iter()
            .filter(|(_, name)| has_succeeded(&column.report[name]));
        let _ = writeln!(
            page,
            "| {} | {} | {} |",
            column.name,
            attempts.len(),
            succeeded.count()
        );
    }
}

fn expected(allowed: &[Allowed], attempt: &str) -> String {
    let places = ["opt-server", "shifter", "exec", "rootless"];
    let open: Vec<&str> = places
        .into_iter()
        .filter(|place| reason(allowed, attempt, &[place]).is_some())
        .collect();
    match open.len() {
        0 => "no".to_owned(),
        4 => "yes".to_owned(),
        _ => format!("yes: {}", open.join(", ")),
    }
}

/// Without what differs from one run to the next.
fn cell(outcome: &Value) -> String {
    match outcome.as_str() {
        None => "?".to_owned(),
        Some(text) if text.starts_with("ok") => "**yes**".to_owned(),
        Some(text) => text.replace("killed by ", ""),
    }
}

fn why(page: &mut String, allowed: &[Allowed]) {
    let _ = writeln!(
        page,
        "\n## Why what succeeds is harmless\n\n| attempt | where | why |\n|---|---|---|"
    );
    for one in allowed {
        let _ = writeln!(
            page,
            "| {} | {} | {} |",
            one.attempt,
            one.places.join(", "),
            one.why
        );
    }
}

/// Runs the peers too, whose defaults let it ask the host for drivers; so only where it is asked for.
#[test]
#[ignore = "writes the file that OPT_ATTEMPTS_TABLE names: hack/attempts-table"]
fn writes_the_table_of_attempts() {
    let path = std::env::var_os("OPT_ATTEMPTS_TABLE").expect("OPT_ATTEMPTS_TABLE");
    let mut columns = columns::ours();
    columns.extend(columns::peers());
    fs::write(path, page(&columns)).expect("write the table");
}
