//! Sealing, on bundles that are made up.

use fuzz::properties::sealing;
use integration::generated::{Choices, Place, bytes, change, wild};
use oci_spec::runtime::Spec;
use serde_json::Value;

fn spec(value: Value) -> Option<Spec> {
    serde_json::from_value(value).ok()
}

#[test]
fn sealing_again_changes_nothing_whatever_the_bundle() {
    let made = (0..400).filter_map(|seed| spec(wild(&mut Choices::of(&bytes(seed, 512)))));
    let made: Vec<Spec> = made.collect();
    for (choice, spec) in made.iter().enumerate() {
        sealing(spec, choice);
    }
    let count = made.len();
    assert!(count > 200, "only {count} of 400 are bundles");
}

#[test]
fn what_is_kept_stays_kept() {
    let text = include_str!("../../bundles/tests/data/promise/sealed.json");
    let sealed: Value = serde_json::from_str(text).expect("JSON");
    let place = Place {
        directory: "/srv/a".to_owned(),
        with_mount: "/srv/b".to_owned(),
    };
    for seed in 0..200usize {
        let mut near = sealed.clone();
        change(
            &mut near,
            &mut Choices::of(&bytes(seed as u64, 128)),
            &place,
        );
        if let Some(spec) = spec(near) {
            sealing(&spec, seed);
        }
    }
}
