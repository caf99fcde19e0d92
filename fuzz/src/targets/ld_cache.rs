//! The dynamic loader's cache.

use std::fs;
use std::path::Path;

use bundles::elf::Resolver;

use crate::Run;
use crate::properties::told;

/// A program with libraries, which are looked up in the cache.
const PROGRAM: &str = "/bin/ls";

pub(super) fn make(scratch: &Path) -> Run {
    let cache = scratch.join("ld.so.cache");
    Box::new(move |bytes| {
        fs::write(&cache, bytes).expect("write the cache");
        let resolver = match Resolver::with_cache(&cache) {
            Ok(resolver) => resolver,
            Err(error) => return told(&error),
        };
        match resolver.resolve(Path::new(PROGRAM)) {
            Err(error) => told(&error),
            Ok(found) => {
                assert!(found.loader_config.is_none_or(|path| path == cache));
                for file in &found.files {
                    assert!(file.path.is_absolute(), "{}", file.path.display());
                }
            }
        }
    })
}
