//! How much of a processor's time a run may take, and each of its inputs: on a machine that has other things to do, which
//! clock it is in the meantime says nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};
use rustix::time::{ClockId, clock_gettime};

/// One input that takes longer is a find.
const INPUT: Duration = Duration::from_secs(10);

/// How often it is looked whether one does.
const EVERY: Duration = Duration::from_secs(1);

/// When the input began that is being tried, in nanoseconds of this process's time; 0 between two.
static BEGAN: AtomicU64 = AtomicU64::new(0);

/// What the run may take.
#[derive(Debug, Clone, Copy)]
pub struct Budget(Option<Duration>);

impl Budget {
    /// So many seconds; without any, as long as libFuzzer has it run. From now on, an input that takes too long ends the
    /// process in a way in which libFuzzer keeps that input.
    pub fn begin(seconds: Option<u64>) -> Self {
        std::thread::spawn(|| {
            loop {
                std::thread::sleep(EVERY);
                let began = BEGAN.load(Ordering::Relaxed);
                if began != 0 && now().saturating_sub(Duration::from_nanos(began)) > INPUT {
                    eprintln!("this input takes more than {INPUT:?} of a processor's time");
                    std::process::abort();
                }
            }
        });
        Self(seconds.map(Duration::from_secs))
    }

    /// Tries an input. Has libFuzzer end in peace once the budget is spent.
    pub fn spend(self, on: impl FnOnce()) {
        let began = u64::try_from(now().as_nanos()).unwrap_or(u64::MAX);
        BEGAN.store(began.max(1), Ordering::Relaxed);
        on();
        BEGAN.store(0, Ordering::Relaxed);
        if self.0.is_some_and(|budget| now() >= budget) {
            // Nobody else could be meant: it is our own.
            kill_process(getpid(), Signal::USR1).expect("ask ourselves to end");
        }
    }
}

/// All that this process has taken so far.
fn now() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanoseconds)
}
