//! A gateway for tests, whose images come from a table.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tempfile::TempDir;

use super::{Job, Maker, Queue};
use crate::auth::{Authenticator, Rates, Session};
use crate::blobs::Digest;
use crate::configuration::Configuration;
use crate::gateway::Gateway;
use crate::pull::{
    Credentials, Found, ImageConfig, LayerCount, LeftOut, Progress, PullError, PullRequest, Pulled,
    Secret, Source, Step,
};
use crate::server::Metrics;
use crate::state::{Kind, Name, State};

#[derive(Debug, Clone)]
struct Offer {
    digest: Digest,
    is_private: bool,
}

/// What there is to be pulled, and how often something was.
#[derive(Debug, Default)]
pub(crate) struct Table {
    offers: Mutex<HashMap<String, Offer>>,
    pub(crate) made: Mutex<usize>,
}

impl Maker for Table {
    fn find(&self, request: &PullRequest) -> Result<Found, PullError> {
        let name = match &request.source {
            Source::Registry(reference) => reference.to_string(),
            other => {
                let file = match other {
                    Source::DockerArchive { path, .. } => path,
                    _ => unreachable!("tests import docker archives"),
                };
                String::from_utf8(fs::read(file).unwrap()).unwrap()
            }
        };
        let not_found = || PullError::NotFound {
            image: name.clone(),
        };
        let offers = self.offers.lock().unwrap();
        let offer = offers.get(&name).ok_or_else(not_found)?;
        if offer.is_private && matches!(request.credentials, Credentials::Anonymous) {
            return Err(PullError::Denied {
                image: name,
                by: "reg.io".to_owned(),
            });
        }
        Ok(Found {
            manifest_digest: offer.digest.clone(),
            size: 5,
            is_private: offer.is_private,
        })
    }

    fn pull(&self, request: &PullRequest, progress: &dyn Progress) -> Result<Pulled, PullError> {
        for step in [Step::Pulling, Step::Examination, Step::Conversion] {
            progress.step(step);
            if progress.should_stop() {
                return Err(PullError::Stopped);
            }
        }
        // The tree that a test has put there.
        let judged = progress.examine(&request.destination.with_extension("tree"));
        judged.map_err(|_| PullError::Stopped)?;
        *self.made.lock().unwrap() += 1;
        fs::write(&request.destination, "image").unwrap();
        let digest = match request.source.version() {
            Some(crate::pull::Version::Digest(digest)) => digest.clone(),
            _ => digest("ee"),
        };
        Ok(Pulled {
            found: Found {
                is_private: !matches!(request.credentials, Credentials::Anonymous),
                manifest_digest: digest.clone(),
                size: 5,
            },
            config: ImageConfig {
                env: vec!["PATH=/bin".to_owned()],
                ..ImageConfig::default()
            },
            file: request.destination.clone(),
            format: request.format,
            digest: digest.to_string(),
            size: 5,
            left_out: LeftOut::default(),
            layers: LayerCount::default(),
            signed_by: None,
        })
    }
}

fn digest(pair: &str) -> Digest {
    format!("sha256:{}", pair.repeat(32)).parse().unwrap()
}

/// A gateway of a system `cluster`, and its directories.
pub(crate) struct Site {
    directory: TempDir,
    pub(crate) table: Arc<Table>,
    pub(crate) gateway: Gateway,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(alter: impl FnOnce(&mut Configuration)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let table = Arc::default();
        let gateway = gateway(directory.path(), &table, alter);
        Self {
            directory,
            table,
            gateway,
        }
    }

    /// The same, as if it had been killed and started again.
    pub(crate) fn killed(self) -> Self {
        let Self {
            directory,
            table,
            gateway,
        } = self;
        drop(gateway);
        let gateway = self::gateway(directory.path(), &table, |_| {});
        super::recover(&gateway).unwrap();
        Self {
            directory,
            table,
            gateway,
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Has `reg.io` show an image.
    pub(crate) fn offer(&self, tag: &str, pair: &str, is_private: bool) {
        let offer = Offer {
            digest: digest(pair),
            is_private,
        };
        for name in [
            format!("reg.io/{tag}"),
            format!("reg.io/{}@{}", tag.split(':').next().unwrap(), digest(pair)),
            tag.to_owned(),
        ] {
            self.table
                .offers
                .lock()
                .unwrap()
                .insert(name, offer.clone());
        }
    }

    /// Does all that waits.
    pub(crate) fn work(&self) {
        loop {
            let job = super::lock(&self.gateway.queue.waiting).jobs.pop_front();
            match job {
                Some(Job::Pull(number)) => super::work::pull(&self.gateway, number),
                Some(Job::Removal(system, id)) => {
                    super::removal::remove(&self.gateway, &system, &id);
                }
                None => return,
            }
        }
    }

    /// The identifier that a tag has now.
    pub(crate) fn id(&self, tag: &str) -> String {
        self.find(tag).unwrap()
    }

    pub(crate) fn find(&self, tag: &str) -> Option<String> {
        let name = Name {
            system: "cluster".to_owned(),
            kind: Kind::Docker,
            tag: tag.to_owned(),
        };
        let image = self.gateway.state.see(|memory| memory.named(&name));
        image.map(|image| image.id.clone())
    }

    /// The names of files of the image directory that begin so.
    pub(crate) fn files(&self, begin: &str) -> Vec<String> {
        let entries = fs::read_dir(self.directory().join("images")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.starts_with(begin)).collect();
        names.sort();
        names
    }
}

fn gateway(
    directory: &Path,
    table: &Arc<Table>,
    alter: impl FnOnce(&mut Configuration),
) -> Gateway {
    let text = json!({
        "StateDirectory": directory.join("state"),
        "DefaultImageLocation": "reg.io",
        "Locations": { "reg.io": { "url": "https://reg.io" } },
        "Platforms": { "cluster": {
            "accesstype": "local", "admins": ["root"], "local": { "imageDir": directory.join("images") },
        } },
        "Metrics": true,
    });
    for name in ["images", "state/imports", "state/made"] {
        fs::create_dir_all(directory.join(name)).unwrap();
    }
    let mut configuration =
        Configuration::parse(text.to_string().as_bytes(), Path::new("im.json")).unwrap();
    configuration.limits.free = 0;
    alter(&mut configuration);
    let maker: Arc<Table> = Arc::clone(table);
    Gateway {
        state: State::open(&configuration.state).unwrap(),
        authenticator: Authenticator::new(&configuration),
        rates: Rates::new(configuration.limits.requests_per_minute),
        queue: Queue::default(),
        maker,
        metrics: Metrics::default(),
        is_draining: AtomicBool::new(false),
        configuration,
    }
}

fn user(name: &str, uid: u32) -> Session {
    Session {
        user: name.to_owned(),
        uid,
        gid: uid,
        ..Session::default()
    }
}

pub(crate) fn ann() -> Session {
    user("ann", 1001)
}

pub(crate) fn bob() -> Session {
    user("bob", 1002)
}

pub(crate) fn root() -> Session {
    user("root", 0)
}

impl Session {
    /// With a password for the default location.
    pub(crate) fn with_password(&self) -> Self {
        let credentials = Credentials::Password {
            user: self.user.clone(),
            password: Secret::new("secret"),
        };
        let mut session = self.clone();
        session.registries.insert("default".to_owned(), credentials);
        session
    }
}
