//! `/var/hostsfile` of a job: what Slurm's variables say of its nodes.

use bundles::shifter::records::hosts_file;
use bundles::shifter::slurm::hosts;

/// Where the nodes and the tasks of each are told: of the step that this process is in, or else of the job.
const OF_STEP: [&str; 2] = ["SLURM_STEP_NODELIST", "SLURM_STEP_TASKS_PER_NODE"];
const OF_JOB: [&str; 2] = ["SLURM_JOB_NODELIST", "SLURM_TASKS_PER_NODE"];

/// What a job's prolog is told: nodes, and processors of each that are the job's.
pub(crate) const OF_PROLOG: [&str; 2] = ["SLURM_NODELIST", "SLURM_JOB_CPUS_PER_NODE"];

/// The text for the job that this process is in; none where it is in none.
pub(super) fn of_this_job() -> anyhow::Result<Option<String>> {
    Ok(match told(OF_STEP)? {
        None => told(OF_JOB)?,
        some => some,
    })
}

/// The text by these two variables; none where one of them isn't there.
///
/// # Errors
/// Lists that Slurm wouldn't write.
pub(crate) fn told(variables: [&str; 2]) -> anyhow::Result<Option<String>> {
    let [nodes, tasks] = variables.map(|name| std::env::var(name).ok());
    let (Some(nodes), Some(tasks)) = (nodes, tasks) else {
        return Ok(None);
    };
    Ok(Some(hosts_file(&hosts(&nodes, &tasks)?)?))
}
