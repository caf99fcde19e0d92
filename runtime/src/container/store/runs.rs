//! Which containers are held in the foreground, and by whom: a link for each run, named after it, in a directory of its
//! user's. Whoever sweeps up after runs finds them there, however many containers the store has.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::PathBuf;

use nix::unistd::geteuid;

use super::Store;
use crate::container::{Error, Result};

/// Begins the directories' names; no id can begin so.
pub(super) const RUNS_PREFIX: char = '%';

/// How often a run makes the directory in which it is to be noted, where others take it away as often.
const TRIES: u32 = 1000;

impl Store {
    /// Notes that `run`, a name of it, holds the container `id`, before anything is made for that.
    ///
    /// # Errors
    /// Where the link can't be made; [`Error::Config`] where the place for it is another user's.
    pub(in crate::container) fn note_run(&self, run: &str, id: &str) -> Result<()> {
        self.make_ours()?;
        let link = self.run_path(run);
        for _ in 0..TRIES {
            self.make_runs()?;
            match symlink(id, &link) {
                // The last of the others has just gone, and the directory with it.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                made => return made.map_err(Error::io("link", &link)),
            }
        }
        Err(Error::io("link", &link)(ErrorKind::NotFound.into()))
    }

    fn make_runs(&self) -> Result<()> {
        let directory = self.runs();
        match DirBuilder::new().mode(0o700).create(&directory) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.check_runs(),
            made => made.map_err(Error::io("create directory", directory)),
        }
    }

    /// The runs of this user's that are noted.
    pub(in crate::container) fn noted_runs(&self) -> Vec<String> {
        if self.check_runs().is_err() {
            return vec![];
        }
        let entries = fs::read_dir(self.runs()).into_iter().flatten();
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.collect()
    }

    /// The id that [`Self::note_run`] noted.
    pub(in crate::container) fn noted_run(&self, run: &str) -> Option<String> {
        let id = fs::read_link(self.run_path(run)).ok()?;
        id.into_os_string().into_string().ok()
    }

    /// Ends what `run` had made for the container `id`, which is gone, and that it is noted.
    ///
    /// # Errors
    /// What can't be removed or given back; the run stays noted then.
    pub(in crate::container) fn end_run(&self, run: &str, id: &str) -> Result<()> {
        self.remove_scratch(id)?;
        self.forget_run(run)
    }

    /// As [`Self::end_run`] where the container is gone: what was lent stays while one is there that may use it, and the
    /// next run sweeps.
    ///
    /// # Errors
    /// As [`Self::end_run`].
    pub(in crate::container) fn end_run_unless_left(&self, run: &str, id: &str) -> Result<()> {
        match self.check_free(id) {
            Ok(()) => self.end_run(run, id),
            Err(_) => Ok(()),
        }
    }

    /// As [`Self::end_run`] where `run` was killed: what was made for a name that somebody gave may be another run's by now.
    ///
    /// # Errors
    /// As [`Self::end_run`].
    pub(in crate::container) fn end_killed_run(&self, run: &str, id: &str) -> Result<()> {
        if id == run {
            self.end_run(run, id)
        } else {
            self.forget_run(run)
        }
    }

    /// Ends that `run` is noted; one that wasn't is fine. The last one's directory goes, too.
    ///
    /// # Errors
    /// Where the link can't be removed.
    pub(in crate::container) fn forget_run(&self, run: &str) -> Result<()> {
        if self.check_runs().is_err() {
            // Nothing of this user's is noted in what is another's.
            return Ok(());
        }
        let link = self.run_path(run);
        unless(&[ErrorKind::NotFound], fs::remove_file(&link))
            .map_err(Error::io("remove", link))?;
        let directory = self.runs();
        let fine = [ErrorKind::NotFound, ErrorKind::DirectoryNotEmpty];
        unless(&fine, fs::remove_dir(&directory)).map_err(Error::io("remove", directory))
    }

    /// Refuses a directory of runs that somebody else has made, who would be asked what to sweep. In a store where others
    /// can make names nobody but its owner can exchange one.
    fn check_runs(&self) -> Result<()> {
        let path = self.runs();
        let metadata = match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            looked => looked.map_err(Error::io("look at", &path))?,
        };
        let reason = match metadata.uid() {
            uid if uid != geteuid().as_raw() => {
                format!("it belongs to uid {uid}, not to {}", geteuid())
            }
            _ if !metadata.is_dir() => "it is no directory".to_owned(),
            _ => return Ok(()),
        };
        Err(Error::Config { path, reason })
    }

    fn runs(&self) -> PathBuf {
        self.root.join(format!("{RUNS_PREFIX}runs-{}", geteuid()))
    }

    fn run_path(&self, run: &str) -> PathBuf {
        self.runs().join(run)
    }
}

/// An error of one of these kinds is none.
fn unless(fine: &[ErrorKind], done: io::Result<()>) -> io::Result<()> {
    done.or_else(|error| {
        if fine.contains(&error.kind()) {
            Ok(())
        } else {
            Err(error)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_found_until_it_is_forgotten() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::at(Some(place.path().join("store")));
        assert_eq!(store.noted_runs(), [""; 0]);
        store.note_run("run-1-2-3", "web").unwrap();
        assert_eq!(store.noted_runs(), ["run-1-2-3"]);
        assert_eq!(store.noted_run("run-1-2-3").as_deref(), Some("web"));
        assert_eq!(store.ids().unwrap(), [""; 0]);
        store.end_run("run-1-2-3", "web").unwrap();
        store.end_run("run-1-2-3", "web").unwrap();
        assert_eq!(store.noted_runs(), [""; 0]);
        assert_eq!(fs::read_dir(store.root()).unwrap().count(), 0);
    }

    #[test]
    fn runs_that_begin_and_end_at_once_find_their_directory() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::at(Some(place.path().into()));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let store = &store;
                scope.spawn(move || {
                    let run = format!("run-{thread}-2-3");
                    for _ in 0..2000 {
                        store.note_run(&run, "web").unwrap();
                        assert!(store.noted_runs().contains(&run));
                        store.end_run(&run, "web").unwrap();
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(store.root()).unwrap().count(), 0);
    }

    #[test]
    fn a_run_stays_noted_while_its_container_is_there() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::at(Some(place.path().into()));
        store.note_run("run-1-2-3", "web").unwrap();
        fs::create_dir(place.path().join("web")).unwrap();
        store.end_run_unless_left("run-1-2-3", "web").unwrap();
        assert_eq!(store.noted_runs(), ["run-1-2-3"]);
        fs::remove_dir(place.path().join("web")).unwrap();
        store.end_run_unless_left("run-1-2-3", "web").unwrap();
        assert_eq!(store.noted_runs(), [""; 0]);
    }

    #[test]
    fn nobody_else_says_what_is_swept() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::at(Some(place.path().into()));
        let elsewhere = place.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("run-1-2-3"), "").unwrap();
        symlink(&elsewhere, store.runs()).unwrap();
        assert_eq!(store.noted_runs(), [""; 0]);
        let refused = store.note_run("run-4-5-6", "web").unwrap_err();
        assert!(matches!(refused, Error::Config { .. }), "{refused:?}");
        store.forget_run("run-1-2-3").unwrap();
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 1);

        // Only root can give it to somebody else.
        if geteuid().is_root() {
            fs::remove_file(store.runs()).unwrap();
            fs::rename(&elsewhere, store.runs()).unwrap();
            std::os::unix::fs::chown(store.runs(), Some(12_345), None).unwrap();
            assert_eq!(store.noted_runs(), [""; 0]);
            let refused = store.note_run("run-4-5-6", "web").unwrap_err();
            assert!(refused.to_string().contains("uid 12345"), "{refused}");
            store.forget_run("run-1-2-3").unwrap();
            assert_eq!(fs::read_dir(store.runs()).unwrap().count(), 1);
        }
    }
}
