//! Showing a container its own cgroup.

use std::path::Path;

use oci_spec::runtime::Mount;

use super::placement::Placement;

impl Placement {
    /// The mounts that a `cgroup` mount stands for where hierarchies are of version 1: a tmpfs with the
    /// container's own directory of each. `None` on version 2.
    ///
    /// libcontainer makes them as well, but not for a process in a pid namespace that was there before: it
    /// looks for its pid there in the runtime's own `/proc`.
    pub(in crate::container) fn shown_by(&self, mount: &Mount) -> Option<Vec<Mount>> {
        if self.is_unified() {
            return None;
        }
        let destination = mount.destination();
        let mut mounts = vec![made(
            "tmpfs",
            Path::new("tmpfs"),
            destination,
            &["mode=755"],
        )];
        for place in self.places() {
            let Some(name) = place.mount_point.file_name() else {
                continue;
            };
            let target = destination.join(name);
            mounts.push(made("bind", &place.directory, &target, &["bind"]));
        }
        Some(mounts)
    }
}

fn made(kind: &str, source: &Path, destination: &Path, options: &[&str]) -> Mount {
    let protected = ["nosuid", "nodev", "noexec"];
    let options = options.iter().chain(&protected);
    let mut mount = Mount::default();
    mount
        .set_typ(Some(kind.to_owned()))
        .set_source(Some(source.to_path_buf()))
        .set_destination(destination.to_path_buf())
        .set_options(Some(options.map(|option| (*option).to_owned()).collect()));
    mount
}
