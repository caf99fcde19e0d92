//! Whether this process's ids are the host's.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

use crate::kernel_file;
use crate::known::Known;

/// The first user namespace's inode number: `USER_NS_INIT_INO` of linux/nsfs.h.
const FIRST: u64 = 0xEFFF_FFFD;

/// Whether this process's user namespace gives every id to itself: the first one does, and of the others those that map
/// all 32 bits (user_namespaces(7)). Found out once: a process that enters another one was made for that, and asks nothing.
///
/// # Errors
/// Where it isn't the first one, and its map can't be read.
pub(crate) fn maps_everybody() -> io::Result<bool> {
    static EVERYBODY: Known<bool> = Known::new();
    EVERYBODY.get_or(look)
}

fn look() -> io::Result<bool> {
    // Nearly always, and a third of the work.
    let is_first = fs::metadata("/proc/self/ns/user").is_ok_and(|found| found.ino() == FIRST);
    Ok(is_first || is_whole(&kernel_file::read("/proc/self/uid_map")?))
}

fn is_whole(map: &str) -> bool {
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_map_is_known() {
        assert!(is_whole("         0          0 4294967295\n"));
        assert!(!is_whole("         0       1000          1\n"));
        assert!(!is_whole("0 0 65536\n65536 65536 4294901759\n"));
        assert!(!is_whole(""));
    }

    #[test]
    fn the_first_namespace_is_known_by_its_number_alone() {
        let map = kernel_file::read("/proc/self/uid_map").unwrap();
        assert_eq!(look().unwrap(), is_whole(&map));
    }
}
