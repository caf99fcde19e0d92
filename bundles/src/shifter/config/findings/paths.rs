//! What a configuration names on this node: whether it is there, and whose.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::{Findings, Weight};
use crate::shifter::trusted::{self, TrustError};

/// What `etcPath` has to have.
const OF_ETC: [&str; 3] = ["passwd", "group", "nsswitch.conf"];

impl Findings<'_> {
    /// What root acts upon has to be root's.
    pub(super) fn paths(&mut self, owners: &[u32]) {
        let config = self.config;
        let directories = [
            ("udiMount", config.udi_mount.as_ref()),
            ("imagePath", Some(&config.image_path)),
            ("etcPath", config.etc_path.as_ref()),
        ];
        for (key, path) in directories {
            if let Some(path) = path {
                self.path(key, path, owners, Some(FileType::Directory));
            }
        }
        // It may be everybody's, as /tmp is: each cache is a file that nobody else can name.
        if let Some(path) = config.cache.path.as_ref().filter(|path| !path.is_dir()) {
            let text = format!("{} is not a directory", path.display());
            self.of(Weight::Doubtful, "perNodeCachePath", text);
        }
        // Not even with the sticky bit: no image would be mounted.
        let others = |status: Metadata| status.mode() & 0o022 != 0;
        if config.image_path.metadata().is_ok_and(others) {
            let text = format!("{}: others may write it", config.image_path.display());
            self.of(Weight::Dangerous, "imagePath", text);
        }
        let mut named: Vec<(String, &PathBuf)> = vec![];
        for (key, path) in [
            ("optUdiImage", &config.opt_udi_image),
            ("sitePreMountHook", &config.pre_mount_hook),
            ("sitePostMountHook", &config.post_mount_hook),
            ("mkfsXfsPath", &config.mkfs_xfs),
        ] {
            named.extend(path.iter().map(|path| (key.to_owned(), path)));
        }
        for module in &config.modules {
            for (key, path) in [
                ("copyPath", &module.copy_path),
                ("roothook", &module.root_hook),
            ] {
                let key = format!("module_{}_{key}", module.name);
                named.extend(path.iter().map(|path| (key.clone(), path)));
            }
        }
        for (key, path) in named {
            self.path(&key, path, owners, None);
        }
        if let Some(directory) = &config.udi_root_path {
            let client = directory.join("bin/shifterimg");
            self.path("udiRootPath", &client, owners, None);
        }
        self.etc();
    }

    fn path(&mut self, key: &str, path: &Path, owners: &[u32], wanted: Option<FileType>) {
        match trusted::follow(path, owners) {
            Ok(found) if wanted.is_some_and(|wanted| wanted != found.kind) => {
                let text = format!("{} is not a directory", path.display());
                self.of(Weight::Doubtful, key, text);
            }
            Ok(_) => {}
            Err(error @ TrustError::Untrusted { .. }) => {
                let text = format!("{error}: whoever can write it decides what root does");
                self.of(Weight::Dangerous, key, text);
            }
            Err(error) => self.of(Weight::Doubtful, key, error.to_string()),
        }
    }

    fn etc(&mut self) {
        let config = self.config;
        let directory = config.etc_path.as_ref();
        let Some(directory) = directory.filter(|path| path.is_dir() && !config.populate_etc) else {
            return;
        };
        let missing = OF_ETC.iter().map(|name| directory.join(name));
        for path in missing.filter(|path| !path.exists()) {
            let text = format!("{} is not there: no container can be made", path.display());
            self.of(Weight::Doubtful, "etcPath", text);
        }
    }
}
