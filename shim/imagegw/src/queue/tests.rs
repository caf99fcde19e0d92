use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::testing::{Site, ann, bob};
use crate::gateway::{Import, Wanted};
use crate::state::{Access, Change, Pull, Status};

fn pull(site: &Site, tag: &str) {
    let wanted = Wanted::default();
    site.gateway
        .pull(&ann(), "cluster", "docker", tag, &wanted)
        .unwrap();
}

fn pulls(site: &Site) -> Vec<Pull> {
    let all = |memory: &crate::state::Memory| memory.pulls().map(|pull| (**pull).clone()).collect();
    site.gateway.state.see(all)
}

fn in_state(site: &Site, status: Status) {
    site.gateway
        .state
        .change(|memory, _| {
            let mut pull = (**memory.pulls().next().unwrap()).clone();
            pull.status = status;
            pull.attempts = 1;
            (vec![Change::Pull(Box::new(pull))], ())
        })
        .unwrap();
}

#[test]
fn a_pull_ends_in_two_files_that_only_root_and_the_gateway_read() {
    let site = Site::new();
    site.offer("x:1", "aa", false);
    pull(&site, "x:1");
    assert!(site.find("x:1").is_none());
    site.work();
    let id = site.id("x:1");
    assert_eq!(id, "a".repeat(64));
    assert_eq!(
        site.files(""),
        [format!("{id}.erofs"), format!("{id}.meta")]
    );
    for name in site.files("") {
        let found = fs::metadata(site.directory().join("images").join(name)).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, 0o600);
    }
    assert!(pulls(&site).is_empty());
    let made = site.directory().join("state/made");
    assert_eq!(fs::read_dir(made).unwrap().count(), 0);
}

#[test]
fn what_is_on_the_system_already_is_not_made_again() {
    let site = Site::new();
    for tag in ["x:1", "x:2"] {
        site.offer(tag, "aa", false);
        pull(&site, tag);
    }
    site.work();
    assert_eq!(*site.table.made.lock().unwrap(), 1);
    assert_eq!(site.id("x:1"), site.id("x:2"));
    // Unless its file is gone.
    fs::remove_file(site.directory().join("images").join(&site.files("")[0])).unwrap();
    site.offer("x:3", "aa", false);
    pull(&site, "x:3");
    site.work();
    assert_eq!(*site.table.made.lock().unwrap(), 2);
}

#[test]
fn a_tag_is_one_images() {
    let site = Site::new();
    site.offer("x:1", "aa", false);
    pull(&site, "x:1");
    site.work();
    let first = site.id("x:1");
    site.offer("x:1", "bb", false);
    site.gateway
        .state
        .change(|memory, _| {
            let mut image = (*memory.image("cluster", &first).unwrap()).clone();
            image.last_pull = 0;
            (vec![Change::Image(Box::new(image))], ())
        })
        .unwrap();
    pull(&site, "x:1");
    site.work();
    assert_eq!(site.id("x:1"), "b".repeat(64));
    let old = site
        .gateway
        .state
        .see(|memory| memory.image("cluster", &first))
        .unwrap();
    assert!(old.tags.is_empty() && old.status == Status::Ready);
}

#[test]
fn a_gateway_that_was_killed_goes_on_wherever_it_was() {
    for status in [
        Status::Init,
        Status::Pending,
        Status::Pulling,
        Status::Examination,
        Status::Conversion,
        Status::Transfer,
    ] {
        let site = Site::new();
        site.offer("x:1", "aa", false);
        pull(&site, "x:1");
        in_state(&site, status);
        let leftovers = [
            "images/.imagegw-new-a.erofs",
            "images/.opt-new-1-1",
            "state/made/1.erofs",
            "state/imports/nobodys",
        ];
        for name in leftovers {
            fs::write(site.directory().join(name), "half").unwrap();
        }
        let site = site.killed();
        for name in leftovers {
            assert!(!site.directory().join(name).exists(), "{name}");
        }
        assert_eq!(pulls(&site)[0].status, Status::Pending, "{status:?}");
        site.work();
        assert!(site.find("x:1").is_some(), "{status:?}");
    }
}

#[test]
fn what_a_restart_can_not_do_has_failed_and_says_why() {
    let site = Site::new();
    site.offer("x:1", "aa", true);
    let wanted = Wanted::default();
    site.gateway
        .pull(&ann().with_password(), "cluster", "docker", "x:1", &wanted)
        .unwrap();
    let site = site.killed();
    let failed = &pulls(&site)[0];
    assert_eq!(failed.status, Status::Failure);
    assert!(failed.message.as_ref().unwrap().contains("pull again"));
    // Nor does it try for ever.
    let mut site = Site::new();
    site.offer("x:1", "aa", false);
    pull(&site, "x:1");
    for _ in 0..4 {
        let attempts = pulls(&site)[0].attempts;
        site.gateway
            .state
            .change_pull(pulls(&site)[0].number, |pull| pull.attempts = attempts + 1)
            .unwrap();
        site = site.killed();
    }
    assert_eq!(pulls(&site)[0].status, Status::Failure);
}

#[test]
fn an_image_that_was_going_goes_after_a_restart() {
    let site = Site::new();
    site.offer("x:1", "aa", false);
    pull(&site, "x:1");
    site.work();
    let id = site.id("x:1");
    site.gateway.delete(&ann(), "cluster", &id).unwrap();
    let site = site.killed();
    site.work();
    assert!(site.files("").is_empty());
}

#[test]
fn a_pull_that_was_given_up_leaves_nothing() {
    let site = Site::new();
    site.offer("x:1", "aa", false);
    pull(&site, "x:1");
    let number = pulls(&site)[0].number;
    assert!(site.gateway.cancel(&bob(), "cluster", number).is_err());
    site.gateway.cancel(&ann(), "cluster", number).unwrap();
    site.work();
    assert_eq!(pulls(&site)[0].message.as_deref(), Some("given up"));
    assert!(site.files("").is_empty());
}

#[test]
fn an_examiner_that_hangs_ends_with_the_time_of_its_pull() {
    let site = Site::with(|configuration| {
        configuration.limits.pull_time = Duration::from_secs(1);
        // It runs the tree.
        configuration.examiner = Some("/bin/sh".into());
    });
    let made = site.directory().join("state/made");
    let script = "sleep 20; : >\"$0-ended\"";
    fs::write(made.join("1.tree"), script).unwrap();
    site.offer("x:1", "aa", false);
    pull(&site, "x:1");
    assert_eq!(pulls(&site)[0].number, 1);
    site.work();
    let message = pulls(&site)[0].message.clone().unwrap();
    assert!(message.contains("took longer"), "{message}");
    assert!(!made.join("1.tree-ended").exists());
    assert!(site.files("").is_empty());
}

#[test]
fn one_users_images_hold_no_more_than_the_site_wants() {
    // Each has 5 bytes.
    let site = Site::with(|configuration| configuration.limits.stored_per_user = Some(12));
    for (tag, pair) in [("x:1", "aa"), ("y:1", "bb"), ("z:1", "cc")] {
        site.offer(tag, pair, false);
        pull(&site, tag);
    }
    site.work();
    assert!(site.find("x:1").is_some() && site.find("y:1").is_some() && site.find("z:1").is_none());
    let message = pulls(&site)[0].message.clone().unwrap();
    assert!(
        message.starts_with("your images would hold 15 bytes, and 12 are allowed"),
        "{message}"
    );
    assert_eq!(site.files("").len(), 4);
    // Others aren't kept from theirs, and who deletes one may have another.
    site.offer("b:1", "dd", false);
    let wanted = Wanted::default();
    site.gateway
        .pull(&bob(), "cluster", "docker", "b:1", &wanted)
        .unwrap();
    site.gateway
        .delete(&ann(), "cluster", &site.id("x:1"))
        .unwrap();
    site.offer("w:1", "ee", false);
    site.work();
    pull(&site, "w:1");
    site.work();
    assert!(site.find("b:1").is_some() && site.find("w:1").is_some());
}

#[test]
fn a_gateway_that_ends_leaves_its_pulls_to_the_next() {
    let site = Site::new();
    site.offer("x:1", "aa", false);
    pull(&site, "x:1");
    site.gateway.queue.close();
    super::work(&site.gateway);
    site.work();
    assert!(!pulls(&site)[0].status.is_final());
    let site = site.killed();
    site.work();
    assert!(site.find("x:1").is_some());
}

#[test]
fn an_import_has_an_identifier_that_no_registry_can_give() {
    let site = Site::new();
    site.offer("x:1", "aa", false);
    let name = crate::state::Name {
        system: "cluster".to_owned(),
        kind: crate::state::Kind::Custom,
        tag: "mine:1".to_owned(),
    };
    let (waiting, _) = site.gateway.new_import().unwrap();
    fs::write(site.gateway.imports().join(&waiting), "x:1").unwrap();
    let import = Import {
        access: Access::default(),
    };
    site.gateway
        .import(&ann(), &name, import, &waiting)
        .unwrap();
    site.work();
    let image = site
        .gateway
        .state
        .see(|memory| memory.named(&name))
        .unwrap();
    assert_ne!(image.id, "a".repeat(64));
    assert!(!site.gateway.imports().join(waiting).exists());
    assert!(site.files(&image.id).len() == 2);
}
