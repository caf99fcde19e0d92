//! The libFuzzer program. One program for all targets: `$OPT_FUZZ_TARGET` names the one, `$OPT_FUZZ_SCRATCH` a directory
//! that it may fill, and that whoever starts it takes away; `$OPT_FUZZ_PROCESSOR_SECONDS` may say after how much of a
//! processor's time it ends. With `$OPT_FUZZ_SEEDS`, a directory, it writes the inputs there with which the target begins,
//! and beside it, as `dictionary`, their words, and ends; without a target it prints the name of each, and which part of
//! the time it gets.
#![no_main]

use std::cell::RefCell;
use std::path::Path;

use fuzz::Run;
use fuzz::processor_time::Budget;

thread_local! {
    static RUN: RefCell<Option<(Run, Budget)>> = const { RefCell::new(None) };
}

fn begin() {
    let Ok(name) = std::env::var("OPT_FUZZ_TARGET") else {
        for target in &fuzz::TARGETS {
            println!("{} {}", target.name, target.one_in);
        }
        std::process::exit(0);
    };
    let target = fuzz::target(&name).unwrap_or_else(|| panic!("there is no target {name:?}"));
    if let Some(directory) = std::env::var_os("OPT_FUZZ_SEEDS") {
        let directory = Path::new(&directory);
        for (number, input) in fuzz::seeds::of(&name).iter().enumerate() {
            let path = directory.join(format!("seed-{number}"));
            std::fs::write(path, input).expect("write a seed");
        }
        let dictionary = fuzz::seeds::dictionary(&name);
        std::fs::write(directory.with_file_name("dictionary"), dictionary).expect("write words");
        std::process::exit(0);
    }
    let scratch = std::env::var_os("OPT_FUZZ_SCRATCH").expect("OPT_FUZZ_SCRATCH names a directory");
    let seconds = std::env::var("OPT_FUZZ_PROCESSOR_SECONDS").ok();
    let seconds = seconds.map(|seconds| seconds.parse().expect("a number of seconds"));
    let run = (target.make)(Path::new(&scratch));
    RUN.set(Some((run, Budget::begin(seconds))));
}

libfuzzer_sys::fuzz_target!(init: begin(), |input: &[u8]| {
    RUN.with_borrow_mut(|run| {
        let (run, budget) = run.as_mut().expect("it has begun");
        budget.spend(|| run(input));
    });
});
