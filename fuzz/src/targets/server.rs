//! Requests to the Opt-Server, uploaded archives included. Nothing is ever executed: nobody takes from its queue.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use opt_server::server::keys::{KeyFile, KeyLimits, NewKey};
use opt_server::server::{App, Name, Options, assemble, router};
use serde_json::json;
use tokio::runtime::Runtime;

use super::requests::{Secrets, send_all};
use crate::Run;

/// After so many inputs another server is asked: executions that nobody begins fill the old one.
const INPUTS: u32 = 300;

struct Server {
    app: Arc<App>,
    secrets: Secrets,
    runtime: Runtime,
}

pub(super) fn make(scratch: &Path) -> Run {
    let place = scratch.join("server");
    let mut server = None;
    let mut inputs = 0;
    Box::new(move |input| {
        if inputs % INPUTS == 0 {
            server = None;
        }
        inputs += 1;
        let server = server.get_or_insert_with(|| Server::new(&place));
        let router = router(Arc::clone(&server.app));
        server
            .runtime
            .block_on(send_all(&router, input, &server.secrets));
    })
}

impl Server {
    fn new(place: &Path) -> Self {
        // What the one before has left.
        let _ = fs::remove_dir_all(place);
        let state = place.join("state");
        fs::create_dir_all(&state).expect("make a directory");
        fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).expect("close it to others");
        write_site(place);
        let keys = KeyFile::of(&state);
        let admin = keys.renew_master().expect("a master key");
        let user = keys.add(key("ann")).expect("a key");
        let app = assemble(&Options {
            config: Some(place.join("config.json")),
            listen: None,
            state,
            root: Some(place.join("containers")),
            sandbox_info: false,
            certificate: None,
            certificate_key: None,
            log_level: tracing::Level::ERROR,
        });
        Self {
            app: app.expect("a server"),
            secrets: Secrets { admin, user },
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime"),
        }
    }
}

fn key(name: &str) -> NewKey {
    NewKey {
        name: Name::try_from(name.to_owned()).expect("a name"),
        user: None,
        function: None,
        commands: true,
        metrics: true,
        limits: KeyLimits::default(),
    }
}

fn write_site(place: &Path) {
    let config = json!({ "commands": [{ "name": "true", "executable": "/bin/true" }] });
    let function = json!({
        "command": "true",
        "inputs": [{ "id": "model", "path": "in/model.lp", "max-bytes": 1000 }],
        "outputs": [{ "id": "result", "path": "out.txt" }],
    });
    let settings = json!({ "min-free-mb": 0, "max-upload-mb": 1, "max-archive-files": 50 });
    fs::create_dir_all(place.join("functions")).expect("make a directory");
    for (name, text) in [
        ("config.json", config),
        ("functions/solve.json", function),
        ("server.json", settings),
    ] {
        fs::write(place.join(name), text.to_string()).expect("write the site's files");
    }
}
