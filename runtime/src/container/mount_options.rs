//! A mount's options, told apart by who has to act on them.

use libcontainer::oci_spec::runtime::Mount;
use nix::mount::MsFlags;

use crate::sys::MountAttr;

/// What a mount's options ask for. Where two contradict each other the later one counts.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct MountOptions {
    /// `rbind`.
    pub recursive: bool,
    /// `idmap` or `ridmap`: ids are mapped as the mount's own mappings say, or the user namespace's.
    pub id_mapped: Option<Depth>,
    /// For the mount itself.
    pub own: MountAttr,
    /// For it and all below it.
    pub recursive_own: MountAttr,
    /// Flags of the file system itself, set or cleared, by their names in fsconfig(2).
    pub file_system: Vec<&'static str>,
    /// Changes of propagation, in order.
    pub propagation: Vec<(MsFlags, Depth)>,
    /// `tmpcopyup`: a tmpfs begins with a copy of what it covers.
    pub copy_up: bool,
    /// Options for the file system, `key=value` or a bare word.
    pub data: Vec<String>,
}

/// Whether an option holds for one mount or also for all below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    One,
    Recursive,
}

/// The attributes of mount_setattr(2) by option, and whether the option sets or clears. Each has a
/// recursive form with an `r` before its name.
const ATTRIBUTES: &[(&str, bool, u64)] = &[
    ("ro", true, libc::MOUNT_ATTR_RDONLY),
    ("rw", false, libc::MOUNT_ATTR_RDONLY),
    ("nosuid", true, libc::MOUNT_ATTR_NOSUID),
    ("suid", false, libc::MOUNT_ATTR_NOSUID),
    ("nodev", true, libc::MOUNT_ATTR_NODEV),
    ("dev", false, libc::MOUNT_ATTR_NODEV),
    ("noexec", true, libc::MOUNT_ATTR_NOEXEC),
    ("exec", false, libc::MOUNT_ATTR_NOEXEC),
    ("nodiratime", true, libc::MOUNT_ATTR_NODIRATIME),
    ("diratime", false, libc::MOUNT_ATTR_NODIRATIME),
    ("nosymfollow", true, libc::MOUNT_ATTR_NOSYMFOLLOW),
    ("symfollow", false, libc::MOUNT_ATTR_NOSYMFOLLOW),
];

/// The three times of access are values of one field of mount_setattr(2), not bits. What only takes one
/// back leaves the kernel's default, relatime.
const ACCESS_TIMES: &[(&str, u64)] = &[
    ("relatime", libc::MOUNT_ATTR_RELATIME),
    ("norelatime", libc::MOUNT_ATTR_RELATIME),
    ("atime", libc::MOUNT_ATTR_RELATIME),
    ("noatime", libc::MOUNT_ATTR_NOATIME),
    ("strictatime", libc::MOUNT_ATTR_STRICTATIME),
    ("nostrictatime", libc::MOUNT_ATTR_RELATIME),
];

/// Options that the kernel keeps with the file system, not the mount; a bind mount has no say in them.
/// `silent` and `loud` only concern the kernel's log, and `mand` does nothing since Linux 5.15.
const FILE_SYSTEM_FLAGS: &[&str] = &["sync", "async", "dirsync", "lazytime", "nolazytime"];
const WITHOUT_EFFECT: &[&str] = &[
    "bind",
    "defaults",
    "iversion",
    "loud",
    "mand",
    "noiversion",
    "nomand",
    "silent",
];

const PROPAGATION: &[(&str, MsFlags)] = &[
    ("shared", MsFlags::MS_SHARED),
    ("slave", MsFlags::MS_SLAVE),
    ("private", MsFlags::MS_PRIVATE),
    ("unbindable", MsFlags::MS_UNBINDABLE),
];

/// The options that are done, sorted, for `features`. Those without an effect aren't claimed, and neither are
/// `norelatime` and its recursive form: they ask for what can't be seen.
pub(crate) fn known() -> Vec<String> {
    let attributes = ATTRIBUTES.iter().map(|(option, ..)| *option);
    let access_times = ACCESS_TIMES.iter().map(|(option, _)| *option);
    let propagation = PROPAGATION.iter().map(|(option, _)| *option);
    let plain: Vec<&str> = attributes
        .chain(access_times.filter(|option| *option != "norelatime"))
        .chain(propagation)
        .collect();
    let recursive = plain.iter().map(|option| format!("r{option}"));
    let single = ["bind", "defaults", "rbind", "idmap", "ridmap", "tmpcopyup"];
    let mut known: Vec<String> = recursive.collect();
    let rest = single.iter().chain(FILE_SYSTEM_FLAGS).chain(&plain);
    known.extend(rest.map(|option| (*option).to_owned()));
    known.sort();
    known
}

/// Reads the options of `mount`. What isn't known is the file system's to judge, or, on a bind mount, which
/// has none of its own, of no effect (as with runc and crun).
pub(super) fn parse(mount: &Mount) -> MountOptions {
    let mut parsed = MountOptions::default();
    for option in mount.options().iter().flatten() {
        parsed.add(option);
    }
    parsed
}

/// The options that ask for attributes to be set and cleared, in their plain form.
pub(super) fn words(set: u64, clear: u64) -> impl Iterator<Item = &'static str> {
    let attributes = ATTRIBUTES.iter().filter_map(move |(word, sets, flag)| {
        let mask = if *sets { set } else { clear };
        (mask & flag != 0).then_some(*word)
    });
    let access_time = ACCESS_TIMES.iter().find(|(_, value)| {
        clear & libc::MOUNT_ATTR__ATIME != 0 && set & libc::MOUNT_ATTR__ATIME == *value
    });
    attributes.chain(access_time.map(|(word, _)| *word))
}

impl MountOptions {
    fn add(&mut self, option: &str) {
        match option {
            "rbind" => self.recursive = true,
            "idmap" => self.id_mapped = Some(Depth::One),
            "ridmap" => self.id_mapped = Some(Depth::Recursive),
            "tmpcopyup" => self.copy_up = true,
            name if WITHOUT_EFFECT.contains(&name) => {}
            name => {
                if let Some(flag) = FILE_SYSTEM_FLAGS.iter().find(|flag| **flag == name) {
                    self.file_system.push(flag);
                } else if !self.add_attribute(name, Depth::One)
                    && !name
                        .strip_prefix('r')
                        .is_some_and(|plain| self.add_attribute(plain, Depth::Recursive))
                {
                    self.data.push(name.to_owned());
                }
            }
        }
    }

    /// Whether `name` is an attribute or a propagation.
    fn add_attribute(&mut self, name: &str, depth: Depth) -> bool {
        let attr = match depth {
            Depth::One => &mut self.own,
            Depth::Recursive => &mut self.recursive_own,
        };
        if let Some((_, sets, flag)) = ATTRIBUTES.iter().find(|(option, ..)| *option == name) {
            if *sets {
                attr.set |= flag;
                attr.clear &= !flag;
            } else {
                attr.set &= !flag;
                attr.clear |= flag;
            }
        } else if let Some((_, value)) = ACCESS_TIMES.iter().find(|(option, _)| *option == name) {
            attr.set = attr.set & !libc::MOUNT_ATTR__ATIME | value;
            attr.clear |= libc::MOUNT_ATTR__ATIME;
        } else if let Some((_, flag)) = PROPAGATION.iter().find(|(option, _)| *option == name) {
            self.propagation.push((*flag, depth));
        } else {
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(options: &[&str]) -> MountOptions {
        let mut mount = Mount::default();
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        mount.set_options(Some(options));
        parse(&mount)
    }

    #[test]
    fn options_become_attributes() {
        let bind = parsed(&["rbind", "ro", "nosuid", "rnosuid", "rnodev"]);
        assert!(bind.recursive);
        assert_eq!(
            bind.own.set,
            libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID
        );
        assert_eq!(
            bind.recursive_own.set,
            libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV
        );
        let tmpfs = parsed(&["size=1m", "mode=1777", "nosuid", "tmpcopyup", "sync"]);
        assert_eq!(tmpfs.data, ["size=1m", "mode=1777"]);
        assert!(tmpfs.copy_up);
        assert_eq!(tmpfs.file_system, ["sync"]);
    }

    #[test]
    fn the_later_option_counts() {
        let last = parsed(&["ro", "rw", "suid", "nosuid", "noatime", "relatime"]);
        assert_eq!(last.own.set, libc::MOUNT_ATTR_NOSUID);
        assert_eq!(
            last.own.clear,
            libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR__ATIME
        );
    }

    #[test]
    fn propagation_options_are_told_from_attributes() {
        for (option, flag, depth) in [
            ("rslave", MsFlags::MS_SLAVE, Depth::Recursive),
            ("private", MsFlags::MS_PRIVATE, Depth::One),
            ("rshared", MsFlags::MS_SHARED, Depth::Recursive),
            ("runbindable", MsFlags::MS_UNBINDABLE, Depth::Recursive),
        ] {
            assert_eq!(parsed(&[option]).propagation, [(flag, depth)], "{option}");
        }
        for other in ["ro", "rro", "rbind", "relatime", "rw", ""] {
            assert!(parsed(&[other]).propagation.is_empty(), "{other}");
        }
    }

    #[test]
    fn what_is_not_known_is_for_the_file_system() {
        for option in ["size=1m", "context=x", "lowerdir=/a:/b", "newinstance"] {
            assert_eq!(parsed(&[option]).data, [option]);
        }
    }
}
