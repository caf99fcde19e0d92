//! Everything that the hostile program tries, in each kind of sealed bundle and by `exec` into it: nothing succeeds that
//! isn't known, and harmless, by `hostile/allowed.tsv`.

mod columns;
mod table;

use std::collections::BTreeMap;

use serde_json::Value;

use columns::Column;

/// Lines of `ATTEMPT TAB WHERE TAB WHY`: what is allowed, in which bundles, and why that is harmless.
const ALLOWED: &str = include_str!("../hostile/allowed.tsv");

/// What may succeed.
struct Allowed {
    attempt: &'static str,
    places: Vec<&'static str>,
    why: &'static str,
}

fn allowed() -> Vec<Allowed> {
    let lines = ALLOWED
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            let [attempt, places, why] = cells.as_slice() else {
                panic!("not three cells: {line}");
            };
            Allowed {
                attempt,
                places: places.split(' ').collect(),
                why,
            }
        })
        .collect()
}

/// Why an attempt may succeed in one of these places; `None` where it must not.
fn reason(allowed: &[Allowed], attempt: &str, places: &[&str]) -> Option<&'static str> {
    let named = allowed.iter().filter(|one| one.attempt == attempt);
    let mut there = named.filter(|one| places.iter().any(|place| one.places.contains(place)));
    there.next().map(|one| one.why)
}

/// The names of all attempts, in the order of their families.
fn attempts() -> Vec<(String, String)> {
    let names = integration::Tool::new(integration::probe_path())
        .arg("names")
        .expect(0);
    let names: BTreeMap<String, Vec<String>> = serde_json::from_str(&names.stdout).expect("JSON");
    let families = names.into_iter();
    families
        .flat_map(|(family, names)| names.into_iter().map(move |name| (family.clone(), name)))
        .collect()
}

fn has_succeeded(outcome: &Value) -> bool {
    outcome.as_str().is_none_or(|text| text.starts_with("ok"))
}

#[test]
fn nothing_succeeds_in_a_sealed_bundle_but_what_is_known_and_harmless() {
    let allowed = allowed();
    let attempts = attempts();
    assert!(attempts.len() > 900, "{} attempts", attempts.len());
    for one in &allowed {
        let is_known = attempts.iter().any(|(_, name)| name == one.attempt);
        assert!(is_known, "there is no attempt \"{}\"", one.attempt);
    }
    let mut wrong = vec![];
    for Column {
        name,
        places,
        report,
    } in columns::ours()
    {
        for (family, attempt) in &attempts {
            let outcome = &report[attempt];
            if has_succeeded(outcome) && reason(&allowed, attempt, places).is_none() {
                wrong.push(format!("{name}: {family}: {attempt}: {outcome}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} succeeded:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
