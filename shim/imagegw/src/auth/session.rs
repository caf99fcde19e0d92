//! A caller who has proved who he is.

use std::collections::BTreeMap;

use crate::pull::Credentials;

/// Who asks, and what he brought along.
#[derive(Debug, Clone, Default)]
pub struct Session {
    /// His name, for lists of administrators; his uid's digits where he has none.
    pub user: String,
    /// His uid.
    pub uid: u32,
    /// His primary group.
    pub gid: u32,
    /// His other groups.
    pub groups: Vec<u32>,
    /// Credentials for registries, by location; `default` is that of the default location.
    pub registries: BTreeMap<String, Credentials>,
    /// Whether he reads metrics, and nothing else.
    pub only_metrics: bool,
}

impl Session {
    /// All his groups.
    pub fn all_groups(&self) -> impl Iterator<Item = u32> + '_ {
        self.groups.iter().copied().chain([self.gid])
    }
}
