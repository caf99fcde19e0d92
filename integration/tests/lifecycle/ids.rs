//! Ids: which are names, and one id wanted by several.

use integration::{Bench, Outcome, plain};

use super::{assert_created, bundles, create, own_id, status};

#[test]
fn ids_that_are_no_names_are_refused() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    let long = "x".repeat(256);
    for id in [
        "", ".", "..", ".x", "a/b", "../x", "/x", "a b", "@x", "a\n", "ü", &long,
    ] {
        let run = bench.runtime().arg("run").arg("-b");
        for (tool, code) in [
            (bundle.create(&bench, id), 125),
            (run.arg(&bundle.directory).arg(id), 125),
            (bench.runtime().args(["state", id]), 1),
            (bench.runtime().args(["delete", "--force", id]), 1),
        ] {
            let outcome = tool.expect(code);
            assert!(outcome.one_line().contains("invalid"), "{id:?}: {outcome}");
        }
    }
    assert_eq!(bench.state_names(), [""; 0]);
    for id in ["a", "A-1_2.3+4", &"x".repeat(200)] {
        bench
            .runtime()
            .arg("run")
            .arg("-b")
            .arg(&bundle.directory)
            .arg(id)
            .expect(0);
    }
}

#[test]
fn run_under_a_taken_id_leaves_the_other_alone() {
    let bench = Bench::new();
    let c1 = &own_id("c1");
    let [bundle, _] = bundles(&bench);
    assert_created(&create(&bench, &bundle, c1));
    let tool = bench
        .runtime()
        .arg("run")
        .arg("-b")
        .arg(&bundle.directory)
        .arg(c1);
    let outcome = tool.expect(125);
    assert!(outcome.one_line().contains("already exists"), "{outcome}");
    assert_eq!(status(&bench, c1), "created");
    bench.runtime().args(["delete", "--force", c1]).expect(0);
}

#[test]
fn of_many_that_create_one_id_at_once_exactly_one_wins() {
    let bench = Bench::new();
    let c1 = &own_id("c1");
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    for _ in 0..5 {
        let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
            let one = || bundle.create(&bench, c1).quietly().run();
            let racers: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
            racers
                .into_iter()
                .map(|racer| racer.join().expect("a racer"))
                .collect()
        });
        let winners = outcomes
            .iter()
            .filter(|outcome| outcome.code == Some(0))
            .count();
        assert_eq!(winners, 1, "{outcomes:?}");
        assert_eq!(status(&bench, c1), "created");
        bench.runtime().args(["delete", "--force", c1]).expect(0);
        bench.assert_gone(c1);
    }
}

#[test]
fn looks_at_a_container_do_not_disturb_its_removal() {
    let bench = Bench::new();
    let c1 = &own_id("c1");
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    for _ in 0..10 {
        assert_created(&create(&bench, &bundle, c1));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| bench.runtime().args(["state", c1]).run());
            }
            bench.runtime().args(["delete", "--force", c1]).expect(0);
        });
        bench.assert_gone(c1);
    }
}

/// Engines keep a state directory for each of their own namespaces, and ids in two of them may be equal.
#[test]
fn one_id_in_two_state_directories_is_two_containers() {
    let (bench, other) = (Bench::new(), Bench::new());
    let c1 = &own_id("c1");
    for bench in [&bench, &other] {
        let [bundle, _] = bundles(bench);
        let outcome = create(bench, &bundle, c1);
        assert_created(&outcome);
        bench.runtime().args(["start", c1]).expect(0);
    }
    bench.runtime().args(["delete", "--force", c1]).expect(0);
    assert_eq!(status(&other, c1), "running");
    other.runtime().args(["delete", "--force", c1]).expect(0);
    other.assert_gone(c1);
}
