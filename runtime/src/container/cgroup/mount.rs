//! Showing a container its own cgroup.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use oci_spec::runtime::Mount;

use super::layout::Kind;
use super::placement::{Place, Placement};

impl Placement {
    /// The mounts that a `cgroup` mount stands for. Where hierarchies are of version 1, a tmpfs with the
    /// container's own directory of each, under each name that the hierarchy goes by. On version 2 the
    /// container's own directory, unless it `has_namespace`: then the mount itself shows no more (`None`).
    ///
    /// libcontainer makes them as well, but shows the host's own root of a hierarchy that has a name and no
    /// controllers, systemd's (S4), and none to a process in a pid namespace that was there before: it looks
    /// for its pid there in the runtime's own `/proc`.
    pub(in crate::container) fn shown_by(
        &self,
        mount: &Mount,
        has_namespace: bool,
    ) -> Option<Vec<Mount>> {
        let destination = mount.destination();
        if self.is_unified() {
            let own = self.unified().filter(|_| !has_namespace)?;
            return Some(vec![made("bind", &own.directory, destination, &["bind"])]);
        }
        let mut mounts = vec![made(
            "tmpfs",
            Path::new("tmpfs"),
            destination,
            &["mode=755"],
        )];
        for place in self.places() {
            let names = names(place);
            let targets = names.iter().map(|name| destination.join(name));
            mounts.extend(targets.map(|target| made("bind", &place.directory, &target, &["bind"])));
        }
        Some(mounts)
    }
}

/// What a hierarchy's directory is called: as on the host, and where controllers share it, by each alone.
/// Version 2 beside version 1 is left out, as runc does: what a program finds there would be all that it uses.
fn names(place: &Place) -> Vec<OsString> {
    let own = place.mount_point.file_name().map(OsStr::to_os_string);
    let mut names: Vec<OsString> = own.into_iter().collect();
    match &place.kind {
        Kind::Unified => names.clear(),
        Kind::Controllers(controllers) if controllers.len() > 1 => {
            names.extend(controllers.iter().map(OsString::from));
        }
        Kind::Controllers(_) | Kind::Named(_) => {}
    }
    names
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
