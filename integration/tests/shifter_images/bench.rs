//! The measuring program runs; what it measures is for people.

use std::path::Path;

use integration::{Tool, shifter, skip};

#[test]
fn the_bench_of_images_runs_and_makes_no_ratio_of_a_few_rounds() {
    let known = std::fs::read_to_string("/proc/filesystems").expect("file systems");
    if !["squashfs", "erofs"]
        .iter()
        .all(|name| known.contains(name))
    {
        skip("this kernel has no squashfs or no EROFS");
        return;
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hack/bench-images");
    let programs = shifter().with_file_name("").display().to_string();
    let outcome = Tool::new(program)
        .args(["--rounds", "2", "--sizes", "1"])
        .env("OPT_BIN_DIR", &programs)
        .expect(0);
    for row in [
        "| directory | ",
        "| EROFS | ",
        "| squashfs zstd, loop | ",
        "| squashfs gzip, loop | ",
        "| zstd, squashfuse_ll, no container | ",
    ] {
        outcome.says(row);
    }
    outcome
        .says("fewer than 30 rounds")
        .says("2 rounds in random order; load ");
}
