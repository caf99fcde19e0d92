//! Every target on every input that it begins with, and on every one that once found something.

use std::collections::BTreeSet;

fn replay(name: &str) {
    let target = fuzz::target(name).expect("a target of this name");
    let scratch = tempfile::tempdir().expect("a directory");
    let mut run = (target.make)(scratch.path());
    let inputs = fuzz::seeds::of(name);
    assert!(!inputs.is_empty(), "{name} begins with nothing");
    for input in inputs {
        run(&input);
        // And with what is cut off, or is another byte.
        run(&input[..input.len() / 2]);
        if let Some(at) = input.len().checked_sub(1) {
            let mut changed = input;
            changed[at / 3] ^= 0x41;
            run(&changed);
        }
    }
}

macro_rules! replayed {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*

        #[test]
        fn every_target_is_replayed() {
            let known = BTreeSet::from([$(stringify!($name)),*]);
            let all = fuzz::TARGETS.iter().map(|target| target.name);
            assert_eq!(all.collect::<BTreeSet<_>>(), known);
        }
    };
}

replayed! {
    bundle opt_server_config udi_root meta words elf ld_cache seccomp munge layers gateway server archives cdi state
}
