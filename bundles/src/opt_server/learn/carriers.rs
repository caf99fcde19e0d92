//! Which of the files that a command used bring others along: programs that it starts and plug-ins that it opens need
//! libraries, which `dlopen` mounts with them.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Brought, Seen, Wanted};

/// A file for `dlopen`.
pub(super) struct Carrier<'a> {
    pub wanted: Wanted<'a>,
    /// What the command used of that which it brings, and no other one does: canonical paths.
    pub brings: BTreeSet<PathBuf>,
}

/// Takes out of `wanted` files that bring others of them, as few as there need be, and what those bring.
pub(super) fn take_out<'a>(
    wanted: &mut Vec<Wanted<'a>>,
    brings: impl Fn(&Path) -> Vec<Brought>,
) -> Vec<Carrier<'a>> {
    let mut chosen: Vec<Carrier<'a>> = vec![];
    // No library brings a program, so programs come first.
    for is_kind in [is_executed, is_library] {
        let of_this_kind = wanted.iter().filter(|(_, file)| is_kind(file));
        let carriers = of_this_kind.map(|one| Carrier {
            wanted: one.clone(),
            brings: used(wanted, one, &brings(&one.0)),
        });
        let mut carriers: Vec<Carrier<'a>> = carriers.collect();
        // Of two libraries the one that brings more is needed by none that brings less.
        carriers.sort_by_key(|carrier| Reverse(carrier.brings.len()));
        for mut carrier in carriers {
            if chosen.iter().any(|one| one.has(carrier.wanted.1)) {
                continue;
            }
            let is_new = |path: &PathBuf| !chosen.iter().any(|one| one.brings.contains(path));
            carrier.brings.retain(is_new);
            if !carrier.brings.is_empty() {
                chosen.push(carrier);
            }
        }
        wanted.retain(|(_, file)| !chosen.iter().any(|one| one.has(file)));
    }
    chosen
}

impl Carrier<'_> {
    fn has(&self, file: &Seen) -> bool {
        self.wanted.1.canonical == file.canonical || self.brings.contains(&file.canonical)
    }
}

/// Those of `wanted` that are brought by the name by which the command asks for them.
fn used(wanted: &[Wanted<'_>], by: &Wanted<'_>, brought: &[Brought]) -> BTreeSet<PathBuf> {
    let is_brought = |(path, file): &&Wanted<'_>| {
        file.canonical != by.1.canonical
            && brought.iter().any(|one| {
                let names = [one.path.file_name(), one.canonical.file_name()];
                one.canonical == file.canonical && names.contains(&path.file_name())
            })
    };
    let used = wanted.iter().filter(is_brought);
    used.map(|(_, file)| file.canonical.clone()).collect()
}

fn is_executed(file: &Seen) -> bool {
    file.is_executed
}

fn is_library(file: &Seen) -> bool {
    !file.is_executed && super::is_named_as_library(&file.canonical)
}
