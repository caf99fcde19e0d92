//! What is said of an image in the `.meta` file beside it, and stays said of one that is made of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use integration::{Tool, verity_digest};

use super::Home;

/// What a gateway says of the image, but for its digests.
const SAID: &str = "ENTRY: ['cat']\nCMD: ['a', \"it's\"]\nWORKDIR: /w\nUSERACL: 1234,5\nGROUPACL: 7\nENV: PATH=/bin\nENV: EMPTY=\n";

/// An image, and what is said of it.
fn source(home: &Home) -> (PathBuf, PathBuf) {
    let image = home.store.make("source", "squashfs");
    let manifest = format!("#MANIFEST: sha256:{}\n", "5".repeat(64));
    let text = format!(
        "FORMAT: squashfs\n#FSVERITY: {}\n{manifest}{SAID}",
        verity_digest(&image)
    );
    let meta = image.with_extension("meta");
    fs::write(&meta, text).expect("write");
    fs::set_permissions(&meta, fs::Permissions::from_mode(0o644)).expect("chmod");
    (image, meta)
}

#[test]
fn what_is_said_of_the_source_is_said_of_what_is_made() {
    let home = Home::new();
    let (image, _) = source(&home);
    home.convert(&image, "made.erofs").expect(0);
    let said = fs::read_to_string(home.path("made.meta")).expect("a .meta file");
    let lines: Vec<&str> = said.lines().collect();
    let manifest = format!("#MANIFEST: sha256:{}", "5".repeat(64));
    let of_file = format!("#FSVERITY: {}", verity_digest(home.path("made.erofs")));
    let mut wanted = vec!["FORMAT: erofs", &of_file, &manifest];
    wanted.extend(SAID.lines());
    assert_eq!(lines, wanted, "{said}");
    let verified = Tool::new(&home.program).args(["image", "verify"]);
    verified.arg(home.path("made.erofs")).expect(0);
}

#[test]
fn of_a_tree_and_of_an_image_without_such_a_file_the_digests_are_said() {
    let home = Home::new();
    let image = home.store.make("source", "squashfs");
    let _ = fs::remove_file(image.with_extension("meta"));
    for source in [home.store.tree(), image] {
        home.convert(&source, "made.erofs").arg("--force").expect(0);
        let said = fs::read_to_string(home.path("made.meta")).expect("a .meta file");
        let of_file = format!("#FSVERITY: {}", verity_digest(home.path("made.erofs")));
        assert_eq!(
            said.lines().take(2).collect::<Vec<_>>(),
            ["FORMAT: erofs", &of_file]
        );
        assert_eq!(said.lines().count(), 2, "{said}");
    }
}

/// Else what was exchanged would have a digest that is right.
#[test]
fn an_image_that_is_not_the_one_that_was_made_makes_none() {
    let home = Home::new();
    let (image, meta) = source(&home);
    let mut bytes = fs::read(&image).expect("read");
    bytes.push(0);
    fs::write(&image, bytes).expect("write");
    let outcome = home.convert(&image, "made.erofs").expect(125);
    assert!(
        outcome.one_line().contains("is not the file that was made"),
        "{outcome}"
    );
    let text = fs::read_to_string(&meta)
        .expect("read")
        .replace("FORMAT: squashfs", "FORMAT: erofs");
    fs::write(&meta, text).expect("write");
    let outcome = home.convert(&image, "made.erofs").expect(125);
    assert!(
        outcome.one_line().contains("its .meta file says another"),
        "{outcome}"
    );
    home.assert_holds(&[]);
}

/// One file can't say what two images are.
#[test]
fn beside_a_source_of_the_same_name_nothing_is_said() {
    let home = Home::new();
    fs::copy(
        home.store.make("source", "squashfs"),
        home.path("one.squashfs"),
    )
    .expect("copy");
    fs::set_permissions(home.path("one.squashfs"), fs::Permissions::from_mode(0o644))
        .expect("chmod");
    let outcome = home
        .convert(&home.path("one.squashfs"), "one.erofs")
        .expect(0);
    assert!(outcome.stderr.contains("no .meta file"), "{outcome}");
    home.assert_holds(&["one.erofs", "one.squashfs"]);
}
