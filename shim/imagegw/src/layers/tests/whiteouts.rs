//! What takes away.

use super::*;

#[test]
fn a_whiteout_takes_away_what_layers_below_have_put_there() {
    let applied = apply(&[
        &[
            file("a", ""),
            file("d/e/f", ""),
            file("d/g", ""),
            link("l", "d"),
        ],
        &[
            file(".wh.a", ""),
            file("d/.wh.e", ""),
            file(".wh.l", ""),
            file(".wh.none", ""),
        ],
    ]);
    assert_eq!(applied.told(), ["d d", "f d/g="]);
}

#[test]
fn a_whiteout_leaves_what_its_own_layer_has_put_there_in_either_order() {
    for first in [true, false] {
        let mut upper = vec![
            file(".wh.a", ""),
            file(".wh.d", ""),
            file("a", "new"),
            file("d/e/new", ""),
        ];
        if first {
            upper.reverse();
        }
        let lower = [file("a", "old"), file("d/old", ""), file("d/e/old", "")];
        let applied = apply(&[&lower, &upper]);
        assert_eq!(
            applied.told(),
            ["d d", "d d/e", "f a=new", "f d/e/new="],
            "{first}"
        );
    }
}

#[test]
fn an_opaque_directory_hides_what_is_below_and_nothing_of_its_own_layer() {
    for opaque_first in [true, false] {
        let mut upper = vec![
            file("d/.wh..wh..opq", ""),
            directory("d"),
            file("d/new", ""),
            file("d/both/new", ""),
        ];
        if !opaque_first {
            upper.reverse();
        }
        let lower = [
            file("d/old", ""),
            file("d/both/old", ""),
            file("d/deep/er/old", ""),
            file("around", ""),
        ];
        let applied = apply(&[&lower, &upper]);
        assert_eq!(
            applied.told(),
            ["d d", "d d/both", "f around=", "f d/both/new=", "f d/new="],
            "{opaque_first}"
        );
    }
}

#[test]
fn an_opaque_root_empties_the_image() {
    let applied = apply(&[
        &[file("a", ""), file("b/c", "")],
        &[file(".wh..wh..opq", "")],
    ]);
    assert!(applied.told().is_empty());
}

#[test]
fn a_hard_link_to_a_name_of_a_lower_layer_outlives_that_name() {
    let applied = apply(&[&[file("a", "1")], &[hard_link("b", "a"), file(".wh.a", "")]]);
    assert_eq!(applied.told(), ["f b=1"]);
}

#[test]
fn a_whiteout_of_a_link_leaves_what_it_leads_to() {
    let applied = apply(&[
        &[file("d/x", ""), link("l", "d"), link("out", "../..")],
        &[file(".wh.l", ""), file(".wh.out", "")],
    ]);
    assert_eq!(applied.told(), ["d d", "f d/x="]);
    applied.nothing_outside();
}

#[test]
fn whiteouts_of_what_is_no_name_are_refused() {
    for name in [".wh.", ".wh..", ".wh...", "d/.wh...", "d/.wh.."] {
        let applied = apply(&[&[file("d/x", "")], &[file(name, "")]]);
        assert!(applied.refused().contains("no name"), "{name}");
    }
}

#[test]
fn a_whiteout_through_a_link_stays_in_the_image() {
    let applied = apply(&[
        &[
            link("up", "../.."),
            link("abs", "/"),
            file("victim", "the image's"),
        ],
        &[file("up/.wh.victim", ""), file("abs/.wh..wh..opq", "")],
    ]);
    assert!(applied.told().is_empty());
    applied.nothing_outside();
}

#[test]
fn aufs_names_mean_nothing_and_are_not_made() {
    let applied = apply(&[
        &[file("plnk", ""), file("orph", "")],
        &[
            directory(".wh..wh.plnk"),
            file(".wh..wh.orph", ""),
            directory("d/.wh..wh..opq"),
            file(".wh..wh..opq.", ""),
        ],
    ]);
    assert_eq!(applied.told(), ["d d", "f orph=", "f plnk="]);
}

#[test]
fn a_whiteout_has_no_content_that_is_written_anywhere() {
    let applied = apply(&[
        &[file("a", "old")],
        &[file(".wh.a", "content"), link(".wh.b", "/")],
    ]);
    assert!(applied.told().is_empty());
}
