use super::*;
use crate::pull::Format;

fn name(tag: &str) -> Name {
    Name {
        system: "cluster".to_owned(),
        kind: Kind::Docker,
        tag: tag.to_owned(),
    }
}

fn image(id: &str, tags: &[&str]) -> Image {
    Image {
        system: "cluster".to_owned(),
        id: id.to_owned(),
        kind: Kind::Docker,
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        status: Status::Ready,
        format: Format::Erofs,
        size: 1,
        file_digest: None,
        verity_digest: None,
        digest: "sha256:1".to_owned(),
        private: false,
        access: Access::default(),
        owner: 1,
        settings: Settings::default(),
        last_pull: 1,
        expiration: None,
    }
}

fn pull(number: u64, tag: &str) -> Pull {
    Pull {
        number,
        name: name(tag),
        requester: Requester {
            uid: 1,
            gid: 1,
            is_admin: false,
        },
        with_credentials: false,
        access: Access::default(),
        import: None,
        status: Status::Init,
        message: None,
        last_pull: 1,
        last_heartbeat: None,
        attempts: 0,
    }
}

fn put(state: &State, image: Image) {
    let change = Change::Image(Box::new(image));
    state.change(|_, _| (vec![change], ())).unwrap();
}

#[test]
fn a_name_is_the_image_that_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let state = State::open(directory.path()).unwrap();
    put(&state, image("a", &["x:1", "x:2"]));
    put(&state, image("b", &["y:1"]));
    let id = |tag: &str| state.see(|memory| memory.named(&name(tag)).map(|found| found.id.clone()));
    assert_eq!(id("x:2").as_deref(), Some("a"));
    // A tag moves in one change.
    state
        .change(|memory, _| {
            let mut a = (*memory.image("cluster", "a").unwrap()).clone();
            a.tags.retain(|tag| tag != "x:2");
            let mut b = (*memory.image("cluster", "b").unwrap()).clone();
            b.tags.push("x:2".to_owned());
            (
                vec![Change::Image(Box::new(a)), Change::Image(Box::new(b))],
                (),
            )
        })
        .unwrap();
    assert_eq!(id("x:2").as_deref(), Some("b"));
    assert_eq!(id("x:1").as_deref(), Some("a"));
    let mut expired = image("a", &["x:1"]);
    expired.status = Status::Expired;
    put(&state, expired);
    assert_eq!(id("x:1"), None);
}

#[test]
fn what_was_changed_is_there_after_the_next_opening() {
    let directory = tempfile::tempdir().unwrap();
    let state = State::open(directory.path()).unwrap();
    put(&state, image("a", &["x:1"]));
    let number = state
        .change(|_, number| {
            let change = Change::Pull(Box::new(pull(number, "z:1")));
            (vec![change], number)
        })
        .unwrap();
    state
        .change_pull(number, |pull| pull.status = Status::Conversion)
        .unwrap();
    let found = state.see(|memory| memory.named(&name("x:1"))).unwrap();
    state.move_expiration(&found, 77);
    state.save().unwrap();
    drop(state);
    let state = State::open(directory.path()).unwrap();
    let kept = state
        .see(|memory| memory.pull_of(&name("z:1"), None))
        .unwrap();
    assert_eq!((kept.number, kept.status), (number, Status::Conversion));
    let found = state.see(|memory| memory.named(&name("x:1"))).unwrap();
    assert_eq!(found.expiration, Some(77));
    // A number is never used twice while its pull is there.
    let next = state.change(|_, number| (vec![], number)).unwrap();
    assert!(next > number);
}

#[test]
fn what_can_not_be_written_has_not_happened() {
    let directory = tempfile::tempdir().unwrap();
    let state = State::open(directory.path()).unwrap();
    let second = State::open(directory.path());
    assert!(second.is_err(), "two have the same state");
    drop(state);
}
