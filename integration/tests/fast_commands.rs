//! No wake-up is lost on a command that ends at once: 500 runs under load, each with a watchdog.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use integration::{Bench, plain};
use serde_json::json;

const RUNS: u32 = 500;
const AT_ONCE: u32 = 4;
const WATCHDOG: Duration = Duration::from_secs(10);

#[test]
fn five_hundred_runs_of_true_under_load_all_end() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    let project = bench.directory("project");
    let config = bench.config(&json!([{ "name": "busybox", "executable": "/usr/bin/busybox" }]));
    let done = AtomicU32::new(0);
    let loaded = AtomicBool::new(true);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while loaded.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let workers: Vec<_> = (0..AT_ONCE)
            .map(|worker| {
                let (bench, bundle, project, config) = (&bench, &bundle, &project, &config);
                let done = &done;
                scope.spawn(move || {
                    while done.fetch_add(1, Ordering::Relaxed) < RUNS {
                        let tool = if worker % 2 == 0 {
                            bundle.run(bench)
                        } else {
                            bench.serve_with(project, config).args(["busybox", "true"])
                        };
                        let outcome = tool.limit(WATCHDOG).run();
                        assert_eq!(
                            (outcome.code, outcome.stderr.as_str()),
                            (Some(0), ""),
                            "{outcome}"
                        );
                    }
                })
            })
            .collect();
        let failed: Vec<_> = workers
            .into_iter()
            .filter_map(|worker| worker.join().err())
            .collect();
        loaded.store(false, Ordering::Relaxed);
        assert!(
            failed.is_empty(),
            "{} of {AT_ONCE} workers failed",
            failed.len()
        );
    });
    assert!(done.load(Ordering::Relaxed) >= RUNS);
    assert_eq!(bench.state_names(), [""; 0]);
    bench.assert_no_orphans();
}
