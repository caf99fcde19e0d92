//! Requests to the image gateway.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use imagegw::api::router;
use imagegw::auth::{Authenticator, NewToken, Rates, Tokens};
use imagegw::configuration::Configuration;
use imagegw::gateway::Gateway;
use imagegw::pull::{Found, Progress, PullError, PullRequest, Pulled};
use imagegw::queue::{Maker, Queue};
use imagegw::server::Metrics;
use imagegw::state::State;
use serde_json::json;
use tokio::runtime::Runtime;

use super::requests::{Secrets, send_all};
use crate::Run;

/// After so many inputs another gateway is asked: one that has what users may take says no to everything.
const INPUTS: u32 = 300;

/// Nothing is there to be pulled.
struct Nothing;

impl Maker for Nothing {
    fn find(&self, request: &PullRequest) -> Result<Found, PullError> {
        let image = request.source.to_string();
        Err(PullError::NotFound { image })
    }

    fn pull(&self, request: &PullRequest, _: &dyn Progress) -> Result<Pulled, PullError> {
        let image = request.source.to_string();
        Err(PullError::NotFound { image })
    }
}

struct Site {
    gateway: Arc<Gateway>,
    secrets: Secrets,
    runtime: Runtime,
}

pub(super) fn make(scratch: &Path) -> Run {
    let place = scratch.join("gateway");
    let mut site = None;
    let mut inputs = 0;
    Box::new(move |input| {
        if inputs % INPUTS == 0 {
            site = None;
        }
        inputs += 1;
        let site = site.get_or_insert_with(|| Site::new(&place));
        let router = router(&site.gateway);
        site.runtime
            .block_on(send_all(&router, input, &site.secrets));
    })
}

impl Site {
    fn new(place: &Path) -> Self {
        // What the one before has left.
        let _ = fs::remove_dir_all(place);
        for name in ["images", "state/imports", "state/made", "cache", "expand"] {
            fs::create_dir_all(place.join(name)).expect("make a directory");
        }
        let configuration = configuration(place);
        let tokens = Tokens::of(&configuration.state);
        let secret = |name: &str, uid| tokens.add(token(name, uid)).expect("a token");
        Self {
            secrets: Secrets {
                admin: secret("root", 0),
                user: secret("ann", 1000),
            },
            gateway: Arc::new(Gateway {
                state: State::open(&configuration.state).expect("an empty state"),
                authenticator: Authenticator::new(&configuration),
                rates: Rates::new(u64::from(u32::MAX)),
                queue: Queue::default(),
                maker: Arc::new(Nothing),
                metrics: Metrics::default(),
                is_draining: AtomicBool::new(false),
                configuration,
            }),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime"),
        }
    }
}

fn token(user: &str, uid: u32) -> NewToken {
    NewToken {
        name: user.to_owned(),
        user: user.to_owned(),
        uid,
        gid: uid,
        groups: vec![],
        metrics: false,
    }
}

fn configuration(place: &Path) -> Configuration {
    let path = |name: &str| -> PathBuf { place.join(name) };
    let text = json!({
        "StateDirectory": path("state"),
        "CacheDirectory": path("cache"),
        "ExpandDirectory": path("expand"),
        "Authentication": "tokens",
        "DefaultImageLocation": "reg.io",
        "ImportUsers": "all",
        "Locations": { "reg.io": { "url": "https://reg.io" } },
        "Platforms": { "cluster": {
            "accesstype": "local", "admins": ["root"], "local": { "imageDir": path("images") },
        } },
        "Metrics": true,
        "Limits": { "FreeMegabytes": 0, "PullsPerUser": 1000 },
    });
    let text = text.to_string();
    Configuration::parse(text.as_bytes(), Path::new("im.json")).expect("a configuration")
}
