//! opt-runtime under a real Slurm: what it does for `srun --container` and `sbatch --container`, and what shifter does in
//! prologs, steps and epilogs.

use std::path::Path;
use std::time::Duration;

use integration::{Tool, opt_runtime, require_program, shifter};

/// A cluster is brought up, some eighty jobs are run on it, and several wait for Slurm's own delays.
const LIMIT: Duration = Duration::from_secs(700);

#[test]
fn slurm_runs_containers() {
    require_program("/usr/sbin/slurmd", "slurm-wlm munge");
    require_program("/usr/bin/mksquashfs", "squashfs-tools");
    require_program("/usr/bin/mkfs.erofs", "erofs-utils");
    require_program("/usr/bin/mpicc.openmpi", "openmpi-bin libopenmpi-dev");
    require_program("/usr/bin/mpicc.mpich", "mpich libmpich-dev");
    // The runtime's neighbour, which is taken along with it.
    assert_eq!(shifter().parent(), opt_runtime().parent());
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("engines/run");
    let checks = Tool::new(run)
        .args(["slurm", "--runtime"])
        .arg(opt_runtime())
        .limit(LIMIT);
    let outcome = checks.expect(0);
    outcome.says("0 failed");
    println!("{}", outcome.stdout);
}
