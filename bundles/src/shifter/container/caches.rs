//! `perNodeCache`: file systems of a container's own on its node.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{CWD, Mode, OFlags, openat};

use super::{ContainerError, Request};
use crate::shifter::Config;
use crate::shifter::config::Module;
use crate::shifter::volumes::{PerNodeCache, VolumeMap};

/// A cache that was made: the map that asks for it, and the directory where it is mounted.
pub type Cache = (VolumeMap, PathBuf);

/// The maps of the site, of `modules` and of the user that ask for caches, all of which the site allows. Its limit
/// holds for all of them together: nobody fills a node with many small ones.
///
/// # Errors
/// [`ContainerError`], naming the map and the rule.
pub fn wanted_caches(
    config: &Config,
    modules: &[&Module],
    volumes: &[VolumeMap],
) -> Result<Vec<VolumeMap>, ContainerError> {
    let of_modules = modules.iter().flat_map(|module| &module.site_fs);
    let maps = config.site_fs.iter().chain(of_modules).chain(volumes);
    let mut wanted = vec![];
    let mut size = 0_u64;
    for map in maps {
        let Some(cache) = map.cache else {
            continue;
        };
        size = size.saturating_add(cache.size);
        let together = PerNodeCache { size, ..cache };
        let allowed = config.cache.allow(&together);
        allowed.map_err(|reason| ContainerError::Volume {
            map: map.to_string(),
            reason,
        })?;
        wanted.push(map.clone());
    }
    Ok(wanted)
}

/// Where the cache for `map` is.
pub(super) fn place<'a>(request: &'a Request<'_>, map: &VolumeMap) -> Option<&'a PathBuf> {
    let mut caches = request.caches.iter();
    let found = caches.find(|(known, _)| known == map);
    found.map(|(_, place)| place)
}

/// The cache for `map`, opened.
pub(super) fn open(
    request: &Request<'_>,
    map: &VolumeMap,
) -> Result<(PathBuf, OwnedFd), ContainerError> {
    let refuse = |reason: String| ContainerError::Volume {
        map: map.to_string(),
        reason,
    };
    let place = place(request, map).ok_or_else(|| refuse("no cache was made".to_owned()))?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = openat(CWD, place, flags, Mode::empty());
    Ok((
        place.clone(),
        opened.map_err(|errno| refuse(errno.to_string()))?,
    ))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::shifter::volumes::Asker;

    #[test]
    fn caches_are_within_the_sites_limits_together() {
        let told = |lines: &str, volumes: &str| {
            let text = format!("imagePath=/i\netcPath=/e\n{lines}\n");
            let config = Config::parse(text.as_bytes(), Path::new("c")).unwrap();
            let modules = config.choose_modules(None).unwrap();
            let volumes = VolumeMap::parse(volumes, Asker::User).unwrap();
            match wanted_caches(&config, &modules, &volumes) {
                Ok(wanted) => wanted
                    .iter()
                    .map(|map| map.to.as_str())
                    .collect::<Vec<_>>()
                    .join(" "),
                Err(error) => error.to_string(),
            }
        };
        let path = "perNodeCachePath=/c\nperNodeCacheSizeLimit=2G";
        let one = "/n:/a:perNodeCache=size=1G";
        let two = "/n:/a:perNodeCache=size=1G;/n:/b:perNodeCache=size=1G";
        assert_eq!(told("", "/n:/a"), "");
        assert!(told("", one).ends_with("the site has no perNodeCachePath"));
        assert_eq!(told(path, two), "/a /b");
        assert!(told(path, "/n:/a:perNodeCache=size=3G").contains("more than the site's limit"));
        let site = format!("{path}\nsiteFs=/n:/s:perNodeCache=size=500M");
        assert_eq!(told(&site, one), "/s /a");
        assert!(
            told(&site, two)
                .contains("2671771648 bytes are more than the site's limit of 2147483648")
        );
        let module =
            format!("{path}\nmodule_m_siteFs=/n:/m:perNodeCache=size=1G\ndefaultModules=m");
        assert_eq!(told(&module, one), "/m /a");
        assert!(told(&module, two).contains("more than the site's limit"));
        let other = format!("{path}\nperNodeCacheAllowedFsType=ext4");
        assert!(told(&other, one).ends_with("it would be an xfs; the site allows ext4"));
    }
}
