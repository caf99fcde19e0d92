//! Which program a task is of, and which containers may share namespaces.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use bundles::shifter::slurm::tasks_on;
use ring::digest::{SHA256, digest};

/// A program whose tasks share their processes, by what all its tasks on this node call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program(String);

/// What has to be the same of two containers for them to share namespaces: through `/proc/PID/root` each shows the other all
/// that it has.
#[derive(Debug, Clone, Default)]
pub struct Alike {
    /// The image's identifier.
    pub image: String,
    /// The signature of the volumes.
    pub volumes: String,
    /// The modules' names.
    pub modules: String,
    /// Options of its own that change what is in it.
    pub options: Vec<String>,
    /// Where the site's containers are built, which tells sites apart.
    pub place: PathBuf,
    /// Whether the container is made without root.
    pub is_rootless: bool,
}

impl Program {
    /// The program that this process is a task of: the one that an option names, or else the job's step, if that has
    /// several tasks on this node, or else what mpirun or mpiexec has started several of here. None shares with nobody.
    ///
    /// # Errors
    /// Where an option asks for the step's, and there is none; where what Slurm says of it can't be read.
    pub fn find(named: Option<&str>, is_apart: bool) -> Result<Option<Self>> {
        Self::from(named, is_apart, |name| env::var(name).ok())
    }

    fn from(
        named: Option<&str>,
        is_apart: bool,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>> {
        let step = || {
            let [job, step] = ["SLURM_JOB_ID", "SLURM_STEP_ID"].map(&variable);
            Some(Self(format!("step {}.{}", job?, step?)))
        };
        match named {
            _ if is_apart => return Ok(None),
            Some("") => {
                let lacking =
                    "--share-tasks: this is no task of a job's step; hint: --share-tasks=NAME";
                return step().context(lacking).map(Some);
            }
            Some(name) => return Ok(Some(Self(format!("tasks {name}")))),
            None => {}
        }
        if let (Some(step), Some(tasks)) = (step(), variable("SLURM_STEP_TASKS_PER_NODE")) {
            let node = variable("SLURM_NODEID")
                .map(|node| node.parse())
                .transpose();
            let counted = match node {
                Ok(node) => tasks_on(&tasks, node).map_err(|error| error.to_string()),
                Err(_) => Err("SLURM_NODEID is no number".to_owned()),
            };
            match counted {
                Ok(0 | 1) => {}
                Ok(_) => return Ok(Some(step)),
                Err(error) => {
                    bail!("how many tasks are on this node: {error}; hint: --no-share-tasks")
                }
            }
        }
        let is_one_of_several = |name| {
            let count = variable(name).and_then(|text| text.parse().ok());
            count.is_some_and(|count: u32| count > 1)
        };
        if is_one_of_several("OMPI_COMM_WORLD_LOCAL_SIZE") {
            return Ok(variable("PMIX_NAMESPACE").map(|name| Self(format!("mpirun {name}"))));
        }
        // Hydra's tasks have one parent on each node, and no name in common.
        let parent = is_one_of_several("MPI_LOCALNRANKS").then(parent).flatten();
        Ok(parent.map(|parent| Self(format!("mpiexec {parent}"))))
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The name of the keeper of such containers of this program's.
    pub(super) fn key(&self, alike: &Alike) -> String {
        let gid = nix::unistd::getegid().to_string();
        let options = alike.options.join("\n");
        let place = alike.place.display().to_string();
        let rootless = alike.is_rootless.to_string();
        let parts = [
            &self.0,
            &gid,
            &alike.image,
            &alike.volumes,
            &alike.modules,
            &options,
            &place,
            &rootless,
        ];
        // Each with its length, so that no two lists are one text.
        let whole: String = parts
            .iter()
            .map(|part| format!("{}:{part}\n", part.len()))
            .collect();
        let digest = digest(&SHA256, whole.as_bytes());
        let hex: String = digest.as_ref()[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("{}tasks-{hex}", runtime::container::TASKS_PREFIX)
    }
}

/// This process's parent: its pid and when it has started, which no later process has both.
fn parent() -> Option<String> {
    let pid = nix::unistd::getppid().as_raw();
    let parent = runtime::container::ProcessId::of(pid).ok()?;
    Some(format!("{}-{}", parent.pid, parent.start_time))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: [(&str, &str); 4] = [
        ("SLURM_JOB_ID", "17"),
        ("SLURM_STEP_ID", "3"),
        ("SLURM_STEP_TASKS_PER_NODE", "1,4"),
        ("SLURM_NODEID", "1"),
    ];

    fn found(
        named: Option<&str>,
        is_apart: bool,
        variables: &[(&str, &str)],
    ) -> Result<Option<String>> {
        let variable = |name: &str| {
            let found = variables.iter().rev().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let found = Program::from(named, is_apart, variable)?;
        Ok(found.map(|program| program.0))
    }

    #[test]
    fn tasks_of_a_step_share_where_there_are_several() {
        let step = Some("step 17.3".to_owned());
        assert_eq!(found(None, false, &STEP).unwrap(), step);
        assert_eq!(found(None, true, &STEP).unwrap(), None);
        let first = [&STEP[..], &[("SLURM_NODEID", "0")]].concat();
        assert_eq!(found(None, false, &first).unwrap(), None);
        assert_eq!(found(Some(""), false, &first).unwrap(), step);
        // A batch script is one task, whatever its job has.
        let batch = [("SLURM_JOB_ID", "17"), ("SLURM_TASKS_PER_NODE", "4")];
        assert_eq!(found(None, false, &batch).unwrap(), None);
        assert!(found(Some(""), false, &batch).is_err());
        let named = Some("tasks mine".to_owned());
        assert_eq!(found(Some("mine"), false, &[]).unwrap(), named);
        for (name, value) in [("SLURM_NODEID", "x"), ("SLURM_STEP_TASKS_PER_NODE", "")] {
            let wrong = [&STEP[..], &[(name, value)]].concat();
            let error = found(None, false, &wrong).unwrap_err().to_string();
            assert!(error.contains("hint: --no-share-tasks"), "{error}");
        }
    }

    #[test]
    fn tasks_of_mpirun_and_mpiexec_share_where_there_are_several() {
        let open_mpi = |count| {
            let task = [
                ("OMPI_COMM_WORLD_LOCAL_SIZE", count),
                ("PMIX_NAMESPACE", "42"),
            ];
            found(None, false, &task).unwrap()
        };
        assert_eq!(open_mpi("4"), Some("mpirun 42".to_owned()));
        assert_eq!(open_mpi("1"), None);
        let hydra = |count| found(None, false, &[("MPI_LOCALNRANKS", count)]).unwrap();
        let parent = format!("mpiexec {}-", nix::unistd::getppid());
        assert!(hydra("4").unwrap().starts_with(&parent));
        assert_eq!(hydra("4"), hydra("2"));
        assert_eq!(hydra("1"), None);
    }

    #[test]
    fn only_containers_that_show_the_same_have_one_key() {
        let key = |program: &str, change: fn(&mut Alike)| {
            let mut alike = Alike::default();
            change(&mut alike);
            Program(program.to_owned()).key(&alike)
        };
        let keys = [
            key("step 1.0", |_| {}),
            key("step 1.1", |_| {}),
            key("step 1.0", |alike| alike.image = "x".to_owned()),
            key("step 1.0", |alike| alike.volumes = "x".to_owned()),
            key("step 1.0", |alike| alike.modules = "x".to_owned()),
            key("step 1.0", |alike| alike.options = vec!["x".to_owned()]),
            key("step 1.0", |alike| alike.place = "x".into()),
            key("step 1.0", |alike| alike.is_rootless = true),
        ];
        let different: std::collections::BTreeSet<&String> = keys.iter().collect();
        assert_eq!(different.len(), keys.len());
        assert_eq!(keys[0], key("step 1.0", |_| {}));
    }
}
