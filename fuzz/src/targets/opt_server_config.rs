//! The Opt-Server's `config.json`.

use std::path::Path;

use bundles::opt_server::config::{Config, bad_name};

use crate::Run;
use crate::properties::told;

pub(super) fn make(_: &Path) -> Run {
    Box::new(|text| {
        let path = Path::new("/etc/opt-server/config.json");
        let config = match Config::parse(text, path) {
            Ok(config) => config,
            Err(error) => return told(&error),
        };
        let again = Config::parse(text, path).expect("it was read");
        assert_eq!(format!("{again:?}"), format!("{config:?}"));
        for warning in &config.warnings {
            told(warning);
        }
        for command in &config.commands {
            assert_eq!(bad_name(&command.name), None, "{:?}", command.name);
            let found = config
                .command(&command.name)
                .expect("each name is there once");
            assert_eq!(found.executable, command.executable);
            for (limit, value) in command.extensions.limits.iter() {
                assert_eq!(limit.of(&command.extensions.limits), Some(value));
            }
        }
        let strict = config.clone().strict();
        assert_eq!(strict.is_ok(), config.warnings.is_empty());
        if let Err(error) = strict {
            told(&error);
        }
    })
}
