//! How soon limits act. Measured while nothing else runs, by `hack/test`: beside other tests, a busy machine is
//! measured.

use integration::Bench;

use super::{NEIGHBOUR_SECONDS, Reported, beside_a_measured_neighbour, hostile};
use super::{beside_a_neighbour, seconds, used_seconds};

#[test]
#[ignore = "a measurement"]
fn neighbours_finish_on_time() {
    let hostile: [fn(&Bench) -> Reported; 6] = [
        hostile::bomb,
        hostile::hog,
        hostile::flood,
        hostile::sleeper,
        hostile::filler,
        hostile::burner,
    ];
    for hostile in hostile {
        let bench = Bench::new();
        let (_, report, took) = beside_a_measured_neighbour(&bench, hostile(&bench));
        assert!(took < NEIGHBOUR_SECONDS as f64 + 1.5, "{took}: {report}");
    }
}

#[test]
#[ignore = "a measurement"]
fn a_sleeper_is_killed_soon_after_its_grace() {
    let bench = Bench::new();
    let (_, report) = beside_a_neighbour(&bench, hostile::sleeper(&bench));
    let wall = seconds(&report, "wall_seconds");
    assert!((2.0..4.0).contains(&wall), "{report}");
}

#[test]
#[ignore = "a measurement"]
fn processor_time_is_looked_at_often() {
    let bench = Bench::new();
    let (_, report) = beside_a_neighbour(&bench, hostile::burner(&bench));
    assert!((1.0..1.6).contains(&used_seconds(&report)), "{report}");
    let (_, report) = hostile::within_its_grace(&bench).run();
    assert!((1.4..3.0).contains(&used_seconds(&report)), "{report}");
}
