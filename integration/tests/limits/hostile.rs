//! Hostile executions, each below the limit that is to end it.

use integration::Bench;

use super::Reported;

pub const SCRATCH: [&str; 2] = ["--scratch-size", "4194304"];

/// Forks for as long as it can.
pub fn bomb(bench: &Bench) -> Reported {
    let bomb = "bomb() { bomb | bomb & }; bomb; while :; do sleep 1; done";
    Reported::shell(bench, "bomb", &["--max-processes", "40"], bomb)
}

/// Takes all the memory that there is.
pub fn hog(bench: &Bench) -> Reported {
    let words = ["tail", "/dev/zero"];
    Reported::busybox(bench, "hog", &["--max-memory", "48"], &words)
}

/// Prints without end.
pub fn flood(bench: &Bench) -> Reported {
    let limits = ["--max-output", "100000"];
    Reported::busybox(bench, "flood", &limits, &["yes", "0123456789"])
}

/// Ignores being asked to end.
pub fn sleeper(bench: &Bench) -> Reported {
    let script = "trap 'echo asked' TERM; while :; do sleep 0.1; done";
    let limits = ["--max-wall-time", "1", "--grace", "1"];
    Reported::shell(bench, "sleeper", &limits, script)
}

/// Fills its scratch space, and stays.
pub fn filler(bench: &Bench) -> Reported {
    let script = "dd if=/dev/zero of=/tmp/big bs=64k; sleep 30";
    Reported::shell(bench, "filler", &SCRATCH, script)
}

/// Computes in many processes.
pub fn burner(bench: &Bench) -> Reported {
    let script = "for n in 1 2 3 4; do while :; do :; done & done; wait";
    let limits = ["--max-cpu-time", "1", "--grace", "0"];
    Reported::shell(bench, "burner", &limits, script)
}

/// Uses some 1.5 s of processor time in one process, by its own count: more than its limit, and within its grace.
pub fn within_its_grace(bench: &Bench) -> Reported {
    let burn = "awk 'BEGIN { while (1) { for (i = 0; i < 100000; i++) x += i; \
                getline line < \"/proc/self/stat\"; close(\"/proc/self/stat\"); split(line, f, \" \"); \
                if (f[14] + f[15] > 150) exit 0 } }'";
    let limits = ["--max-cpu-time", "1", "--grace", "20"];
    Reported::shell(bench, "grace", &limits, burn)
}
