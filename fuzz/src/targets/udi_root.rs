//! A site's `udiRoot.conf`.

use std::path::Path;

use bundles::shifter::Config;
use bundles::shifter::volumes::VolumeMap;

use crate::Run;
use crate::properties::told;

pub(super) fn make(_: &Path) -> Run {
    Box::new(|text| {
        let path = Path::new("/etc/shifter/udiRoot.conf");
        let config = match Config::parse(text, path) {
            Ok(config) => config,
            Err(error) => return told(&error),
        };
        assert_eq!(Config::parse(text, path).expect("it was read"), config);
        // Whoever asks for no module gets the site's, which were looked at.
        config.choose_modules(None).expect("default modules");
        for module in &config.modules {
            assert_eq!(
                config.module(&module.name).map(|found| &found.name),
                Some(&module.name)
            );
        }
        for map in &config.site_fs {
            must_be_read_back(map);
        }
        for finding in config.findings(&[0]) {
            assert!(!finding.text.is_empty());
        }
    })
}

fn must_be_read_back(map: &VolumeMap) {
    assert!(
        map.to.starts_with('/') && !map.to.split('/').any(|part| part == ".."),
        "{map}"
    );
}
