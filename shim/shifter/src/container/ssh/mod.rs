//! The sshd of a container: which module brings one, and the keys.
//!
//! The nodes of a job have no secret of their own in common, but the user's home directory. So a secret is kept there,
//! and the keys of a job are made of it and the job's number: the same on each node, and of no use in another job. A container
//! that is in no job has keys that were never anywhere else.

mod format;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use bundles::shifter::config::Module;
use bundles::shifter::sshd::{
    AUTHORIZED_KEYS, Daemon, HOST_KEY, HOST_NAME, KNOWN_HOSTS, Server, USER_KEY,
};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use format::Pair;
pub(crate) use format::public_key;

/// In the user's home directory. It is Shifter's, which keeps its keys there.
const PLACE: &str = ".udiRoot";
const SECRET: &str = "shifter-ssh-secret";

/// Bytes of a secret, and of the seed of a key.
const SIZE: usize = 32;

/// Which task of a step this is on its node.
const TASK: &str = "SLURM_LOCALID";

/// A public key of the user's own that is to be let in, too.
const PUBLIC_KEY: &str = "SSH_PUBKEY";

/// What the modules bring.
pub(super) fn daemon<'a>(modules: &[&'a Module]) -> Option<&'a Daemon> {
    let daemons = modules.iter().map(|module| &module.sshd);
    daemons.into_iter().find(|daemon| daemon.program.is_some())
}

/// Whether it is this process that starts it, of several on a node.
pub(super) fn is_first_task() -> bool {
    std::env::var_os(TASK).is_none_or(|task| task == "0")
}

/// The sshd of a container on this node, in a job on the nodes of `hosts`, a text as `/var/hostsfile` has it.
pub(super) fn server(
    modules: &[&Module],
    hosts: Option<&str>,
    environment: Vec<String>,
    keys: PathBuf,
) -> Option<Server> {
    let host_name = || {
        rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned()
    };
    let nodes = hosts.unwrap_or_default().lines();
    Some(Server {
        daemon: daemon(modules)?.clone(),
        node: std::env::var("SLURMD_NODENAME").unwrap_or_else(|_| host_name()),
        nodes: nodes.map(str::to_owned).collect(),
        environment,
        keys,
        starts: is_first_task(),
    })
}

/// The key that a variable names, as Shifter's plugin for Slurm does.
pub(super) fn named_key() -> Option<String> {
    let variable = |prefix: &str| std::env::var(format!("{prefix}SHIFTER_{PUBLIC_KEY}")).ok();
    variable("").or_else(|| variable("SLURM_SPANK_"))
}

/// The keys of a container.
pub(super) struct Keys {
    host: Pair,
    user: Pair,
    authorized: Vec<String>,
}

impl Keys {
    /// Those of a job, by its number and the home directory of its user, whose rights the calling thread has. Without a
    /// job, new ones. `named` is a public key that is let in besides.
    pub(super) fn of(job: Option<(&str, &Path)>, named: Option<&str>) -> Result<Self> {
        let mut secret = [0; SIZE];
        let mut context = String::new();
        match job {
            None => fill(&mut secret)?,
            Some((job, home)) => {
                let why = || format!("the keys of this job's sshd, of {}", home.display());
                secret = self::secret(home).with_context(why)?;
                let cluster = std::env::var("SLURM_CLUSTER_NAME").unwrap_or_default();
                context = format!("{cluster}\n{job}");
            }
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let derived = |name: &str| -> Result<Pair> {
            let tag = hmac::sign(&key, format!("{name}\n{context}").as_bytes());
            Pair::of_seed(<[u8; SIZE]>::try_from(tag.as_ref())?)
        };
        let (host, user) = (derived(HOST_KEY)?, derived(USER_KEY)?);
        let mut authorized = vec![user.public()];
        authorized.extend(named.map(public_key).transpose()?);
        Ok(Self {
            host,
            user,
            authorized,
        })
    }

    /// Writes them into `directory`, each whole, for `owner` where that is somebody else. Another task of the step may do
    /// the same at this moment.
    pub(super) fn write(&self, directory: &Path, owner: Option<(u32, u32)>) -> Result<()> {
        let known = format!("{HOST_NAME} {}\n", self.host.public());
        let authorized = self.authorized.join("\n") + "\n";
        for (name, text) in [
            (HOST_KEY, &self.host.private()),
            (USER_KEY, &self.user.private()),
            (AUTHORIZED_KEYS, &authorized),
            (KNOWN_HOSTS, &known),
        ] {
            let path = directory.join(name);
            write(&path, text, owner).with_context(|| format!("write {}", path.display()))?;
        }
        Ok(())
    }
}

fn write(path: &Path, text: &str, owner: Option<(u32, u32)>) -> io::Result<()> {
    let new = path.with_extension(std::process::id().to_string());
    let mut file = create(&new)?;
    file.write_all(text.as_bytes())?;
    if let Some((uid, gid)) = owner {
        fchown(&file, Some(uid), Some(gid))?;
    }
    fs::rename(&new, path)
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

fn fill(bytes: &mut [u8]) -> Result<()> {
    let filled = SystemRandom::new().fill(bytes);
    filled.map_err(|_| anyhow!("the kernel gives no random numbers"))
}

/// The user's secret, made where there is none. All nodes that ask at the same time get the same.
fn secret(home: &Path) -> Result<[u8; SIZE]> {
    let place = home.join(PLACE);
    let path = place.join(SECRET);
    let open = || {
        OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(&path)
    };
    let mut file = match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_secret(&place, &path)?;
            open()
        }
        other => other,
    }
    .with_context(|| format!("open {}", path.display()))?;
    let status = file.metadata()?;
    let mine = rustix::process::geteuid().as_raw();
    if !status.is_file() || status.mode() & 0o077 != 0 || status.uid() != mine {
        bail!(
            "{} is not a file of this user's alone; hint: remove it",
            path.display()
        );
    }
    let mut secret = [0; SIZE];
    file.read_exact(&mut secret)
        .with_context(|| format!("read {}", path.display()))?;
    Ok(secret)
}

/// Whole or not at all: by a link, which fails where there is one already.
fn make_secret(place: &Path, path: &Path) -> Result<()> {
    let made = DirBuilder::new().mode(0o700).create(place);
    if let Err(error) = made
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(error).with_context(|| format!("make {}", place.display()));
    }
    let mut bytes = [0; SIZE];
    fill(&mut bytes)?;
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let new = place.join(format!("{SECRET}.{name}.{}", std::process::id()));
    let linked = create(&new)
        .and_then(|mut file| file.write_all(&bytes))
        .and_then(|()| fs::hard_link(&new, path));
    let _ = fs::remove_file(&new);
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.with_context(|| format!("make {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn files(job: Option<&str>, home: &Path) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let keys = Keys::of(job.map(|job| (job, home)), None).unwrap();
        // Twice, as two tasks do.
        keys.write(directory.path(), None).unwrap();
        keys.write(directory.path(), None).unwrap();
        let names = [HOST_KEY, USER_KEY, AUTHORIZED_KEYS, KNOWN_HOSTS];
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), names.len());
        for name in names {
            let mode = fs::metadata(directory.path().join(name)).unwrap().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        let read = |name| fs::read_to_string(directory.path().join(name)).unwrap();
        names.map(read).to_vec()
    }

    #[test]
    fn the_keys_of_a_job_are_the_same_everywhere_and_no_other_jobs() {
        let home = tempfile::tempdir().unwrap();
        let first = files(Some("17"), home.path());
        assert_eq!(first, files(Some("17"), home.path()));
        assert_ne!(first[0], first[1]);
        for other in [
            files(Some("18"), home.path()),
            files(None, home.path()),
            files(None, home.path()),
            files(Some("17"), tempfile::tempdir().unwrap().path()),
        ] {
            for (one, two) in first.iter().zip(&other) {
                assert_ne!(one, two);
            }
        }
        let place = home.path().join(PLACE);
        assert_eq!(fs::read_dir(&place).unwrap().count(), 1);
    }

    #[test]
    fn a_secret_that_others_can_read_is_none() {
        let home = tempfile::tempdir().unwrap();
        files(Some("17"), home.path());
        let path = home.path().join(PLACE).join(SECRET);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = Keys::of(Some(("17", home.path())), None).err().unwrap();
        assert!(
            format!("{error:#}").contains("this user's alone"),
            "{error:#}"
        );
    }

    #[test]
    fn a_named_key_is_a_key_and_nothing_else() {
        const KEY: &str =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHPm3G6yBXF6dmAWwKKqmvDF+5MdP/E9ZmFzLJWGvHmu";
        let keys = |text: &str| Keys::of(None, Some(text));
        let found = keys(&format!("{KEY} me@home\n")).ok().unwrap();
        assert_eq!(found.authorized[1], KEY);
        for wrong in [
            "",
            "x",
            &format!("command=\"x\" {KEY}"),
            &format!("{KEY} a\n{KEY} b"),
        ] {
            let error = keys(wrong).err().map(|error| error.to_string());
            assert!(error.unwrap().contains("no public key"), "{wrong:?}");
        }
    }
}
