//! One mount of an image for however many use it, and none after the last.

use std::fs;

use integration::{Running, host, wait_until};

use crate::store::{HELLO, SOON, Store, give_away};

/// Says `ready`, and the device of what is mounted; then waits for the end of its input.
const WAIT: &str = "echo ready $(stat -c %d $1); read line; cat $1/hello; exit 3";

fn start(store: &Store, id: &str) -> Running {
    let mut running = store.script(id, WAIT).start();
    running.wait_for("ready");
    running
}

#[test]
fn two_users_of_an_image_have_the_same_file_system_and_loop_device() {
    let store = Store::new();
    for format in ["squashfs", "erofs"] {
        store.make(format, format);
        let (first, second) = (start(&store, format), start(&store, format));
        let loops = store.loop_devices().len();
        assert_eq!(loops, usize::from(format == "squashfs"));
        let uses = store.image("list").expect(0).stdout;
        let pids = format!(" {} {}\n", first.pid(), second.pid());
        assert!(uses.ends_with(&pids), "{uses}");
        let outcomes = [first.finish(), second.finish()];
        let [one, other] = outcomes.each_ref().map(|outcome| {
            assert_eq!(outcome.code, Some(3), "{outcome}");
            outcome.stdout.lines().next().expect("a line").to_owned()
        });
        assert_eq!(one, other);
        store.assert_nothing_left();
    }
}

#[test]
fn an_image_goes_with_its_last_user_also_when_that_is_killed() {
    let store = Store::new();
    store.make("it", "squashfs");
    let (mut first, mut second) = (start(&store, "it"), start(&store, "it"));
    first.kill();
    wait_until("the keeper has noticed", SOON, || {
        let uses = store.image("list").expect(0).stdout;
        uses.ends_with(&format!(" {}\n", second.pid()))
    });
    assert_eq!(store.loop_devices().len(), 1);
    second.kill();
    store.assert_nothing_left();
}

#[test]
fn the_end_of_the_keeper_takes_nothing_from_users_and_the_next_has_another() {
    let store = Store::new();
    store.make("it", "squashfs");
    let first = start(&store, "it");
    let ours = store.state.display().to_string();
    let keepers =
        || host::processes(|shown| shown.starts_with("shifter-image ") && shown.contains(&ours));
    let keeper = keepers();
    let [keeper] = &keeper[..] else {
        panic!("{keeper:?}")
    };
    let pid = keeper.split(' ').next().and_then(|pid| pid.parse().ok());
    host::kill(pid.expect("a pid"));
    wait_until("it is gone", SOON, || keepers().is_empty());
    let second = start(&store, "it");
    assert_eq!(keepers().len(), 1);
    for running in [first, second] {
        let outcome = running.finish();
        assert!(outcome.stdout.ends_with(HELLO), "{outcome}");
    }
    store.assert_nothing_left();
}

#[test]
fn many_at_once_have_one_image() {
    let store = Store::new();
    store.make("it", "squashfs");
    for _ in 0..3 {
        let all: Vec<Running> = (0..12).map(|_| store.script("it", WAIT).start()).collect();
        let mut devices = vec![];
        for mut running in all {
            running.wait_for("ready");
            devices.push(running);
        }
        assert_eq!(store.loop_devices().len(), 1);
        let outcomes = devices.into_iter().map(Running::finish);
        let mut firsts: Vec<String> = outcomes
            .map(|outcome| outcome.stdout.lines().next().expect("a line").to_owned())
            .collect();
        firsts.dedup();
        assert_eq!(firsts.len(), 1, "{firsts:?}");
        store.assert_nothing_left();
    }
}

#[test]
fn coming_and_going_at_once_never_fails_and_leaves_nothing() {
    let store = Store::new();
    store.make("it", "erofs");
    for _ in 0..8 {
        let all: Vec<Running> = (0..8)
            .map(|_| store.script("it", "cat $1/hello").start())
            .collect();
        for running in all {
            let outcome = running.finish();
            assert_eq!(
                (outcome.code, &*outcome.stdout),
                (Some(0), HELLO),
                "{outcome}"
            );
        }
    }
    store.assert_nothing_left();
}

#[test]
fn an_image_that_was_replaced_is_another_and_its_users_keep_theirs() {
    let store = Store::new();
    let path = store.make("it", "erofs");
    let first = start(&store, "it");
    let tree = store.tree();
    fs::write(tree.join("hello"), "a new one\n").expect("write");
    let new = store.make("new", "erofs");
    fs::rename(new, &path).expect("rename");
    let second = start(&store, "it");
    assert!(first.finish().stdout.ends_with(HELLO));
    assert!(second.finish().stdout.ends_with("a new one\n"));
    store.assert_nothing_left();
}

/// The name leads to the site's image and to a user's in turns, as fast as it goes.
#[test]
fn what_is_mounted_is_what_was_looked_at() {
    let store = Store::new();
    let path = store.make("it", "squashfs");
    fs::write(store.tree().join("hello"), "EVIL\n").expect("write");
    let evil = store.make("evil", "squashfs");
    give_away(&evil);
    let done = store.bench.path("done");
    let swap = "import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
print('swapping', flush=True)
while not os.path.exists(sys.argv[3]):
    libc.renameat2(-100, sys.argv[1].encode(), -100, sys.argv[2].encode(), 2)
";
    let swapping = integration::Tool::new("/usr/bin/python3").args(["-c", swap]);
    let mut swapping = swapping.arg(&path).arg(&evil).arg(&done).start();
    swapping.wait_for("swapping");
    let mut had = 0;
    for _ in 0..60 {
        let outcome = store.script("it", "cat $1/hello").run();
        match outcome.code {
            Some(0) => {
                assert_eq!(outcome.stdout, HELLO, "{outcome}");
                had += 1;
            }
            code => {
                assert_eq!(code, Some(125), "{outcome}");
                assert!(
                    outcome.one_line().contains("belongs to uid 1234"),
                    "{outcome}"
                );
            }
        }
    }
    println!("{had} of 60 had the site's");
    fs::write(done, "").expect("write");
    swapping.finish();
    store.assert_nothing_left();
}
