//! A container's cgroup as criu wants it named.

use std::ffi::OsStr;
use std::path::Path;

use super::layout::Kind;
use super::placement::Placement;

impl Placement {
    /// The directory in which the container's processes can be frozen.
    pub(in crate::container) fn freezer_directory(&self) -> Option<&Path> {
        let place = self.holder("freezer").or_else(|| self.unified());
        place.map(|place| place.directory.as_path())
    }

    /// The container's directory in the hierarchy that is mounted under `name`, such as `cpu,cpuacct`, or that
    /// holds a controller of this name.
    pub(in crate::container) fn directory_in(&self, name: &OsStr) -> Option<&Path> {
        let mut places = self.places().iter();
        places
            .find(|place| {
                let is_held = name.to_str().is_some_and(|name| place.kind.holds(name));
                is_held || place.mount_point.file_name() == Some(name)
            })
            .map(|place| place.directory.as_path())
    }

    /// Where a restored container's processes belong: `CONTROLLERS:/PATH` for each hierarchy of version 1,
    /// `/PATH` for version 2.
    pub(in crate::container) fn roots(&self) -> Vec<String> {
        let root = |directory: &Path, mount_point: &Path| {
            let below = directory.strip_prefix(mount_point).unwrap_or(directory);
            format!("/{}", below.display())
        };
        self.places()
            .iter()
            .map(|place| {
                let root = root(&place.directory, &place.mount_point);
                match &place.kind {
                    Kind::Controllers(names) => format!("{}:{root}", names.join(",")),
                    Kind::Named(name) => format!("name={name}:{root}"),
                    Kind::Unified => root,
                }
            })
            .collect()
    }
}
