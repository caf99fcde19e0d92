//! Vectors of `tests/data/shifter`.

use super::*;
use crate::vectors::{Wrong, vectors};

#[test]
fn volume_maps_are_read_as_shifter_reads_them_or_refused_for_what_they_are() {
    let mut wrong = Wrong::default();
    for vector in vectors("shifter/volumes.tsv") {
        let [asker, text, wanted @ ..] = &vector[..] else {
            panic!("{vector:?}");
        };
        let asker = match asker.as_str() {
            "user" => Asker::User,
            "site" => Asker::Site,
            other => panic!("{other}"),
        };
        let found = match VolumeMap::parse(text, asker) {
            Ok(maps) => format!("{} maps\t{}", maps.len(), signature(&maps)),
            Err(error) => match error.problem.code() {
                Some(code) => format!("refused {code}"),
                None => "refused".to_owned(),
            },
        };
        wrong.unless(&vector, &found, &wanted.join("\t"));
    }
    wrong.none();
}

#[test]
fn sizes_are_read_as_strtod_and_a_letter() {
    let mut wrong = Wrong::default();
    for vector in vectors("shifter/bytes.tsv") {
        let [text, wanted] = &vector[..] else {
            panic!("{vector:?}");
        };
        let found = parse_bytes(text).map_or("refused".to_owned(), |bytes| bytes.to_string());
        wrong.unless(&vector, &found, wanted);
    }
    wrong.none();
}

#[test]
fn what_is_refused_is_told_with_the_map_and_the_rule() {
    for (text, says) in [
        (
            "/a:/b;/c d:/e",
            "volume \"/c d:/e\": \"/c d\" has ' ' in it",
        ),
        (
            "/a:/etcetera",
            "nothing can be mounted on /etcetera: the site's own files are there",
        ),
        (
            "/a:/b:rw",
            "unknown flag \"rw\"; known are ro, perNodeCache=size=BYTES",
        ),
        ("/a:/b:rec", "the flag rec is the site's to give"),
        ("/a:/b:perNodeCache", "needs a size"),
        ("/a:/x/../y", "must not have \"..\" in it"),
    ] {
        let error = VolumeMap::parse(text, Asker::User).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        assert_eq!(error.lines().count(), 1);
    }
}
