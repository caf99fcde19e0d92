//! Vectors of `tests/data/shifter/image`, and a store on disk.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use super::*;
use crate::vectors::{Wrong, vectors};

#[test]
fn names_of_images_are_taken_apart_as_shifter_does() {
    let mut wrong = Wrong::default();
    for vector in vectors("shifter/image/descriptors.tsv") {
        let default = Some(&*vector[0]).filter(|default| *default != "-");
        match Descriptor::parse(&vector[1], default) {
            Ok(Descriptor { kind, tag }) => {
                wrong.unless(&vector, &format!("{},{tag}", kind.as_str()), &vector[2]);
            }
            Err(error) if error.to_string().contains(&*vector[2]) => {}
            Err(error) => wrong.unless(&vector, &error.to_string(), &vector[2]),
        }
    }
    wrong.none();
}

#[test]
fn lists_of_ids_hold_no_id_that_was_not_written() {
    let mut wrong = Wrong::default();
    for vector in vectors("shifter/image/ids.tsv") {
        let found: Vec<String> = access::ids(&vector[0]).iter().map(u32::to_string).collect();
        wrong.unless(&vector, &found.join(" "), &vector[1]);
    }
    wrong.none();
}

#[test]
fn lists_of_words_are_read_as_python_writes_them() {
    let mut wrong = Wrong::default();
    for vector in vectors("shifter/image/words.tsv") {
        let found = match words::words(&vector[0]) {
            Some(words) => words.iter().map(|word| format!("<{word}>")).collect(),
            None => "malformed".to_owned(),
        };
        wrong.unless(&vector, &found, &vector[1]);
    }
    wrong.none();
}

/// What a `.meta` file says, on one line.
fn told(meta: &Meta) -> String {
    let names = Format::NAMES.into_iter();
    let format = names.clone().find(|(_, format)| *format == meta.format);
    let mut told = vec![format.unwrap().0.to_owned()];
    let variables = meta.environment.iter();
    told.extend(variables.map(|(name, value)| format!("env {name}={value}")));
    let ids = |ids: &[u32]| ids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let passed_over = meta.passed_over.iter();
    let passed_over: Vec<String> = passed_over
        .map(|(line, key)| format!("{key}@{line}"))
        .collect();
    for (name, value) in [
        (
            "entry",
            meta.entry_point.as_ref().map(|words| words.join("|")),
        ),
        ("cmd", meta.command.as_ref().map(|words| words.join("|"))),
        ("workdir", meta.working_directory.clone()),
        ("digest", meta.digests.content.clone()),
        ("verity", meta.digests.verity.clone()),
        ("manifest", meta.digests.manifest.clone()),
        ("users", Some(ids(&meta.access.users))),
        ("groups", Some(ids(&meta.access.groups))),
        ("passed over", Some(passed_over.join(" "))),
    ] {
        let value = value.filter(|value| !value.is_empty());
        told.extend(value.map(|value| format!("{name} {value}")));
    }
    told.join(" ")
}

#[test]
fn meta_files_are_read_as_shifter_reads_them_or_refused_for_what_they_are() {
    let mut wrong = Wrong::default();
    for vector in vectors("shifter/image/meta.tsv") {
        let found = match Meta::parse(vector[0].as_bytes(), Path::new("x.meta")) {
            Ok(meta) => told(&meta),
            Err(error) => error.to_string().replace("x.meta", ""),
        };
        wrong.unless(&vector, &found, &vector[1]);
    }
    wrong.none();
}

#[test]
fn an_image_is_used_by_those_it_is_kept_to() {
    let caller = |uid, gid, groups: &[u32]| Caller {
        uid,
        gid,
        groups: groups.to_vec(),
    };
    let access = |users: &[u32], groups: &[u32]| Access {
        users: users.to_vec(),
        groups: groups.to_vec(),
    };
    let me = caller(1000, 100, &[5, 6]);
    for (access, allowed) in [
        (access(&[], &[]), true),
        (access(&[1000], &[]), true),
        (access(&[1], &[100]), true),
        (access(&[1], &[6]), true),
        (access(&[], &[7]), false),
        (access(&[1], &[]), false),
        (access(&[100], &[1000]), false),
    ] {
        assert_eq!(access.allows(&me), allowed, "{access:?}");
    }
    // Root has no right of its own.
    assert!(!access(&[1000], &[]).allows(&caller(0, 0, &[0])));
}

const META: &str = "FORMAT: squashfs\n";

/// A store of the caller's with the image `good`, and who the caller is.
fn store() -> (tempfile::TempDir, Vec<u32>, Caller) {
    let directory = tempfile::tempdir().unwrap();
    let base = directory.path();
    let write = |name: &str, text: &str| {
        fs::write(base.join(name), text).unwrap();
        fs::set_permissions(base.join(name), fs::Permissions::from_mode(0o600)).unwrap();
    };
    write("good.meta", META);
    write("good.squashfs", "hsqs");
    let metadata = base.metadata().unwrap();
    let caller = Caller {
        uid: 1000,
        gid: 1000,
        groups: vec![],
    };
    let owners = vec![0, metadata.uid()];
    (directory, owners, caller)
}

fn image(store: &Store, id: &str, caller: &Caller) -> Result<Image, StoreError> {
    store.image(&Identifier::new(id)?, caller)
}

#[test]
fn an_image_is_opened_with_what_is_known_of_it() {
    let (directory, owners, caller) = store();
    let store = Store::open(directory.path(), &owners).unwrap();
    let good = image(&store, "good", &caller).unwrap();
    assert_eq!(good.meta.format, Format::Squashfs);
    assert!(good.path.ends_with("good.squashfs"));
    fs::write(directory.path().join("tree.meta"), "FORMAT: VFS\n").unwrap();
    let tree = directory.path().join("tree.");
    fs::create_dir(&tree).unwrap();
    fs::set_permissions(&tree, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(image(&store, "tree", &caller).unwrap().path, tree);
}

#[test]
fn no_identifier_leads_out_of_the_store() {
    let (directory, owners, caller) = store();
    let above = directory.path().join("outside.meta");
    fs::write(&above, META).unwrap();
    let inside = directory.path().join("store");
    fs::create_dir(&inside).unwrap();
    let store = Store::open(&inside, &owners).unwrap();
    for id in [
        "../outside",
        "..",
        ".",
        "",
        "a/b",
        "/etc/passwd",
        ".hidden",
        "-x",
        "a b",
        "a\nb",
        "a\0b",
        "é",
    ] {
        let error = image(&store, id, &caller).unwrap_err();
        assert!(
            matches!(error, StoreError::Identifier(_)),
            "{id:?}: {error}"
        );
        assert_eq!(error.to_string().lines().count(), 1);
    }
    assert!(Identifier::new(&"a".repeat(241)).is_err());
    // A link in the store is no image, wherever it leads.
    fs::write(inside.join("other.meta"), META).unwrap();
    for target in ["../outside.meta", "other.meta", "/etc/passwd"] {
        let link = inside.join("link.meta");
        symlink(target, &link).unwrap();
        let error = image(&store, "link", &caller).unwrap_err();
        assert!(matches!(error, StoreError::Unfit { .. }), "{error}");
        fs::remove_file(link).unwrap();
    }
    let error = image(&store, "absent", &caller).unwrap_err();
    assert!(matches!(error, StoreError::NoImage { .. }), "{error}");
}

#[test]
fn an_image_that_others_may_write_is_not_the_kernels_to_read() {
    let (directory, owners, caller) = store();
    let base = directory.path();
    let mode = |name: &str, mode| {
        fs::set_permissions(base.join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    for name in ["good.meta", "good.squashfs"] {
        let store = Store::open(base, &owners).unwrap();
        mode(name, 0o662);
        let error = image(&store, "good", &caller).unwrap_err();
        assert!(matches!(error, StoreError::Unfit { .. }), "{error}");
        mode(name, 0o600);
        image(&store, "good", &caller).unwrap();
    }
    mode("", 0o777);
    let error = Store::open(base, &owners).unwrap_err();
    assert!(matches!(error, StoreError::Unfit { .. }), "{error}");
}

#[test]
fn what_is_no_file_and_what_is_not_yours_is_refused() {
    let (directory, owners, caller) = store();
    let base = directory.path();
    let store = Store::open(base, &owners).unwrap();
    fs::remove_file(base.join("good.squashfs")).unwrap();
    fs::create_dir(base.join("good.squashfs")).unwrap();
    let error = image(&store, "good", &caller).unwrap_err();
    assert!(
        error.to_string().contains("is not a regular file"),
        "{error}"
    );
    fs::write(base.join("good.meta"), "FORMAT: squashfs\nUSERACL: 7\n").unwrap();
    let error = image(&store, "good", &caller).unwrap_err();
    assert!(matches!(error, StoreError::NotYours { .. }), "{error}");
}
