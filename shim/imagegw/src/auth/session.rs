//! A caller who has proved who he is.

use std::collections::BTreeMap;

use daemon::Digest;

use crate::pull::Credentials;

/// What a proof is good for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scope {
    /// Everything that its user may.
    #[default]
    All,
    /// Counters.
    Metrics,
    /// The queue's page.
    Page,
}

impl Scope {
    /// Whether it is good for the path of a request.
    pub fn has(self, path: &str) -> bool {
        match self {
            Self::All => true,
            Self::Metrics => path == "/metrics",
            Self::Page => path.starts_with("/queue/"),
        }
    }
}

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
    /// What his proof is good for.
    pub scope: Scope,
    /// The digest of the token that he has shown, if it was one.
    pub token: Option<Digest>,
}

impl Session {
    /// All his groups.
    pub fn all_groups(&self) -> impl Iterator<Item = u32> + '_ {
        self.groups.iter().copied().chain([self.gid])
    }
}
