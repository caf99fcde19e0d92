use std::time::Duration;

use super::*;
use crate::queue::testing::{Site, ann, bob, root};
use crate::state::{Access, Change, Image, Pull, Status, now};

fn access(users: &[u32]) -> Wanted {
    Wanted {
        access: Access {
            users: Some(users.to_vec()),
            groups: None,
        },
    }
}

/// What a pull by `session` is answered.
fn ask(site: &Site, session: &Session, tag: &str) -> Answer {
    site.gateway
        .pull(session, "cluster", "docker", tag, &Wanted::default())
        .unwrap()
}

fn is_new(answer: &Answer) -> bool {
    matches!(answer, Answer::Pull(pull) if pull.status == Status::Pending)
}

fn change_image(site: &Site, id: &str, alter: impl FnOnce(&mut Image)) {
    site.gateway
        .state
        .change(|memory, _| {
            let mut image = (*memory.image("cluster", id).unwrap()).clone();
            alter(&mut image);
            (vec![Change::Image(Box::new(image))], ())
        })
        .unwrap();
}

fn change_pulls(site: &Site, alter: impl Fn(&mut Pull)) {
    site.gateway
        .state
        .change(|memory, _| {
            let changed = memory.pulls().map(|pull| {
                let mut pull = (**pull).clone();
                alter(&mut pull);
                Change::Pull(Box::new(pull))
            });
            (changed.collect(), ())
        })
        .unwrap();
}

#[test]
fn the_same_request_asks_and_asks_again() {
    let site = Site::new();
    site.offer("x:1", "aa", false);
    assert!(is_new(&ask(&site, &ann(), "x:1")));
    let again = ask(&site, &bob(), "x:1");
    assert!(matches!(&again, Answer::Pull(pull) if pull.requester.uid == ann().uid));
    site.work();
    assert!(matches!(ask(&site, &ann(), "x:1"), Answer::Image(_)));
    // `x` is `x:latest`.
    assert!(is_new(&ask(&site, &ann(), "x")));
}

#[test]
fn what_was_pulled_is_pulled_again_after_the_sites_time() {
    let site = Site::new();
    site.offer("x:1", "aa", false);
    ask(&site, &ann(), "x:1");
    site.work();
    let id = site.id("x:1");
    let ago = |seconds: u64| now() - seconds * 1000;
    change_image(&site, &id, |image| image.last_pull = ago(290));
    assert!(matches!(ask(&site, &ann(), "x:1"), Answer::Image(_)));
    change_image(&site, &id, |image| image.last_pull = ago(310));
    assert!(is_new(&ask(&site, &ann(), "x:1")));
}

#[test]
fn a_failure_stands_for_the_sites_time_and_a_silent_worker_for_an_hour() {
    let site = Site::new();
    let ago = |seconds: u64| now() - seconds * 1000;
    ask(&site, &ann(), "nothing:1");
    site.work();
    let failed = ask(&site, &ann(), "nothing:1");
    assert!(matches!(&failed, Answer::Pull(pull) if pull.status == Status::Failure));
    change_pulls(&site, |pull| pull.last_pull = ago(310));
    assert!(is_new(&ask(&site, &ann(), "nothing:1")));
    for (status, heartbeat, begins_anew) in [
        (Status::Pending, None, false),
        (Status::Pulling, Some(ago(10)), false),
        (Status::Pulling, Some(ago(3590)), false),
        (Status::Pulling, Some(ago(3610)), true),
        (Status::Conversion, Some(ago(3610)), true),
    ] {
        change_pulls(&site, |pull| {
            pull.status = status;
            pull.last_heartbeat = heartbeat;
            pull.last_pull = ago(4000);
        });
        let number = |answer: &Answer| match answer {
            Answer::Pull(pull) => pull.number,
            Answer::Image(_) => 0,
        };
        let before = site
            .gateway
            .state
            .see(|memory| memory.pulls().last().unwrap().number);
        let answer = ask(&site, &ann(), "nothing:1");
        assert_eq!(
            number(&answer) != before,
            begins_anew,
            "{status:?} {heartbeat:?}"
        );
    }
}

#[test]
fn a_private_image_is_for_those_who_were_named() {
    let site = Site::new();
    site.offer("p:1", "bb", true);
    let ask = |session: &Session, users: &[u32]| {
        site.gateway
            .pull(session, "cluster", "docker", "p:1", &access(users))
            .unwrap()
    };
    ask(&ann().with_password(), &[1002]);
    site.work();
    let gateway = &site.gateway;
    let finds = |session: &Session| gateway.look_up(session, "cluster", "docker", "p:1").is_ok();
    assert!(finds(&ann()) && finds(&bob()));
    let mut carol = bob();
    carol.uid = 1003;
    assert!(!finds(&carol) && !finds(&Session::default()));
    assert!(gateway.list(&carol, "cluster").unwrap().is_empty());
    assert!(gateway.inspect(&carol, "cluster", &site.id("p:1")).is_err());
    // Without credentials her pull is one of her own, and fails: nothing of it is Ann's.
    ask(&carol, &[]);
    site.work();
    assert!(finds(&ann()));
    assert!(!finds(&carol));
}

#[test]
fn who_may_use_an_image_is_changed_by_its_owner_and_by_administrators() {
    let site = Site::new();
    site.offer("p:1", "bb", true);
    let pull = |session: &Session, users: &[u32]| {
        let session = session.with_password();
        change_pulls(&site, |pull| pull.last_pull = 0);
        if let Some(image) = site
            .gateway
            .state
            .see(|memory| memory.images("cluster").next().cloned())
        {
            change_image(&site, &image.id, |image| image.last_pull = now() - 11_000);
        }
        site.gateway
            .pull(&session, "cluster", "docker", "p:1", &access(users))
            .unwrap();
        site.work();
        let image = site
            .gateway
            .state
            .see(|memory| memory.images("cluster").next().cloned());
        image.unwrap().access.users.clone().unwrap()
    };
    assert_eq!(pull(&ann(), &[1]), [1, 1001]);
    assert_eq!(pull(&ann(), &[2]), [2, 1001], "the owner changes it");
    // Bob could fetch it himself; he says nothing about others.
    assert_eq!(pull(&bob(), &[5, 6]), [2, 1001, 1002]);
    assert_eq!(pull(&root(), &[7]), [7, 0], "an administrator changes it");
}

#[test]
fn administrators_are_those_of_the_list_and_no_part_of_a_name() {
    let site = Site::new();
    site.offer("x:1", "aa", false);
    ask(&site, &ann(), "x:1");
    site.work();
    let gateway = &site.gateway;
    for name in ["r", "oo", "roo", "root ", ""] {
        let session = Session {
            user: name.to_owned(),
            ..ann()
        };
        let expired = gateway
            .expire(&session, "cluster", "docker", "x:1")
            .unwrap();
        assert_eq!(expired, Some(false), "{name:?}");
        assert!(gateway.auto_expire(&session, "cluster").unwrap().is_none());
        assert!(
            gateway
                .last_lookups(&session, "cluster", 10)
                .unwrap()
                .is_empty()
        );
    }
    assert_eq!(
        gateway.expire(&root(), "cluster", "docker", "y:1").unwrap(),
        None
    );
    let id = site.id("x:1");
    assert_eq!(
        gateway.expire(&root(), "cluster", "docker", "x:1").unwrap(),
        Some(true)
    );
    assert!(gateway.look_up(&ann(), "cluster", "docker", "x:1").is_err());
    site.work();
    assert!(site.files(&id).is_empty(), "{:?}", site.files(&id));
    let status = gateway
        .state
        .see(|memory| memory.image("cluster", &id).unwrap().status);
    assert_eq!(status, Status::Expired);
}

#[test]
fn what_was_not_looked_up_for_long_goes() {
    let site = Site::with(|configuration| {
        configuration.expiration = Some(Duration::from_secs(60));
    });
    site.offer("x:1", "aa", false);
    site.offer("y:1", "bb", false);
    ask(&site, &ann(), "x:1");
    ask(&site, &ann(), "y:1");
    site.work();
    let gateway = &site.gateway;
    // Never looked up: never expires.
    assert!(gateway.expire_overdue("cluster").unwrap().is_empty());
    gateway.look_up(&ann(), "cluster", "docker", "x:1").unwrap();
    assert!(
        gateway.expire_overdue("cluster").unwrap().is_empty(),
        "in the future"
    );
    let id = site.id("x:1");
    let image = gateway
        .state
        .see(|memory| memory.image("cluster", &id))
        .unwrap();
    gateway.state.move_expiration(&image, now() - 1);
    assert_eq!(gateway.auto_expire(&ann(), "cluster").unwrap(), None);
    assert!(gateway.expire_overdue("other").unwrap().is_empty());
    assert_eq!(
        gateway.auto_expire(&root(), "cluster").unwrap(),
        Some(vec![id.clone()])
    );
    site.work();
    assert!(site.files(&id).is_empty());
    assert!(!site.files(&site.id("y:1")).is_empty());
}

#[test]
fn users_delete_their_own_and_nobody_elses() {
    let site = Site::new();
    site.offer("x:1", "aa", false);
    ask(&site, &ann(), "x:1");
    site.work();
    let id = site.id("x:1");
    let refused = site.gateway.delete(&bob(), "cluster", &id).unwrap_err();
    assert_eq!(refused.reason, Reason::Forbidden);
    site.gateway.delete(&ann(), "cluster", &id).unwrap();
    site.work();
    assert!(site.files(&id).is_empty());
    // Removed, it can be had again.
    assert!(is_new(&ask(&site, &bob(), "x:1")));
    site.work();
    assert!(!site.files(&id).is_empty());
}

#[test]
fn one_user_waits_for_so_many_pulls_and_everybody_for_so_many() {
    let site = Site::with(|configuration| {
        configuration.limits.pulls_per_user = 2;
        configuration.limits.queued = 3;
    });
    let pull = |session: &Session, tag: &str| {
        let wanted = Wanted::default();
        site.gateway
            .pull(session, "cluster", "docker", tag, &wanted)
    };
    pull(&ann(), "a:1").unwrap();
    pull(&ann(), "a:2").unwrap();
    let refused = pull(&ann(), "a:3").unwrap_err();
    assert_eq!(refused.reason, Reason::TooMany);
    // Asking how one stands is none more.
    pull(&ann(), "a:2").unwrap();
    pull(&bob(), "b:1").unwrap();
    assert_eq!(pull(&bob(), "b:2").unwrap_err().reason, Reason::Unavailable);
}

#[test]
fn what_others_pull_with_their_credentials_is_not_named() {
    let site = Site::new();
    ask(&site, &ann().with_password(), "secret:1");
    ask(&site, &ann(), "public:1");
    let shown = |session: &Session| -> Vec<bool> {
        let waiting = site.gateway.waiting(session, "cluster").unwrap();
        waiting.iter().map(|waiting| waiting.is_shown).collect()
    };
    assert_eq!(shown(&ann()), [true, true]);
    assert_eq!(shown(&bob()), [false, true]);
    assert_eq!(shown(&root()), [true, true]);
}

#[test]
fn names_that_are_none_are_refused() {
    let site = Site::new();
    for (system, kind, tag) in [
        ("nowhere", "docker", "x:1"),
        ("cluster", "local", "x:1"),
        ("cluster", "docker", "a:b:c"),
        ("cluster", "docker", "../x:1"),
        ("cluster", "docker", "x y:1"),
        ("cluster", "custom", "x:1"),
    ] {
        let wanted = Wanted::default();
        let answer = site.gateway.pull(&ann(), system, kind, tag, &wanted);
        assert!(answer.is_err(), "{system} {kind} {tag}");
    }
}

#[test]
fn a_file_is_imported_by_whom_it_belongs_to() {
    let own = nix::unistd::geteuid().as_raw();
    let mut me = ann();
    me.uid = own;
    let site = Site::new();
    let file = site.directory().join("image.tar");
    std::fs::write(&file, "image").unwrap();
    let refused = site.gateway.may_import(&me, "cluster", "custom", "x:1");
    assert_eq!(
        refused.unwrap_err().reason,
        Reason::Forbidden,
        "off unless wanted"
    );
    let waiting = site.gateway.take_file(&me, &file).unwrap();
    assert_eq!(
        std::fs::read(site.gateway.imports().join(waiting)).unwrap(),
        b"image"
    );
    let mut stranger = me.clone();
    stranger.uid = own + 1;
    for (session, path) in [
        (&stranger, file.as_path()),
        (&me, "image.tar".as_ref()),
        (&me, site.directory()),
        (&me, "/dev/null".as_ref()),
        (&me, "/nowhere".as_ref()),
    ] {
        assert!(
            site.gateway.take_file(session, path).is_err(),
            "{}",
            path.display()
        );
    }
}
