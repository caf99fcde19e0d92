//! Who may use an image.

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Uid.
    pub uid: u32,
    /// Gid.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

/// The users and groups that an image is kept to. Without either it is everybody's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Uids.
    pub users: Vec<u32>,
    /// Gids.
    pub groups: Vec<u32>,
}

impl Access {
    /// Whether `caller` may use the image.
    pub fn allows(&self, caller: &Caller) -> bool {
        let mut groups = caller.groups.iter().chain([&caller.gid]);
        self.users.is_empty() && self.groups.is_empty()
            || self.users.contains(&caller.uid)
            || groups.any(|group| self.groups.contains(group))
    }
}

/// The ids of a comma-separated list. What is no id is passed over, and so is one that the kernel couldn't tell from
/// another: Shifter takes 4294967296 for 0.
pub(super) fn ids(list: &str) -> Vec<u32> {
    let words = list.split(',').map(str::trim);
    let is_number = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit());
    let numbers = words.filter(is_number).filter_map(|word| word.parse().ok());
    numbers.filter(|id| *id != u32::MAX).collect()
}
