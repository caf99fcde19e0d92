//! Every key of `udiRoot.conf`, in the order of Shifter's documentation. The keys of modules are in
//! [`modules`](super::modules).

use super::Config;
use super::error::Problem;
use super::values::Value;
use crate::shifter::volumes::Propagation;

/// Whether a key has an effect here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Used,
    /// Read, and of no use here: why.
    Unused(&'static str),
    /// Shifter itself warns of it.
    Deprecated,
}

/// A key.
pub(super) struct Key {
    pub name: &'static str,
    pub standing: Standing,
    /// Whether Shifter refuses a file without it.
    pub shifter_needs_it: bool,
    pub set: fn(&mut Config, Value<'_>) -> Result<(), Problem>,
}

const fn key(
    name: &'static str,
    standing: Standing,
    set: fn(&mut Config, Value<'_>) -> Result<(), Problem>,
) -> Key {
    Key {
        name,
        standing,
        shifter_needs_it: false,
        set,
    }
}

const fn needed(
    name: &'static str,
    standing: Standing,
    set: fn(&mut Config, Value<'_>) -> Result<(), Problem>,
) -> Key {
    Key {
        name,
        standing,
        shifter_needs_it: true,
        set,
    }
}

use Standing::{Deprecated, Unused, Used};

const BUNDLE: Standing = Unused("a container is built in a directory of its own");
const HELPER: Standing = Unused("no helper program is run");
const NEVER_USED: Standing = Unused("Shifter doesn't use it either");

fn skip(_: &mut Config, _: Value<'_>) -> Result<(), Problem> {
    Ok(())
}

fn path(_: &mut Config, value: Value<'_>) -> Result<(), Problem> {
    value.path().map(drop)
}

#[rustfmt::skip]
pub(super) static KEYS: &[Key] = &[
    needed("udiMount", Used, |config, value| { config.udi_mount = Some(value.path()?); Ok(()) }),
    needed("loopMount", BUNDLE, path),
    needed("imagePath", Used, |config, value| { config.image_path = value.path()?; Ok(()) }),
    needed("udiRootPath", Used, |config, value| { config.udi_root_path = Some(value.path()?); Ok(()) }),
    needed("etcPath", Used, |config, value| { config.etc_path = Some(value.path()?); Ok(()) }),
    needed("modprobePath", NEVER_USED, path),
    needed("insmodPath", NEVER_USED, path),
    needed("cpPath", HELPER, path),
    needed("mvPath", HELPER, path),
    needed("chmodPath", HELPER, path),
    needed("ddPath", HELPER, path),
    key("mkfsXfsPath", Used, |config, value| { config.mkfs_xfs = Some(value.path()?); Ok(()) }),
    needed("rootfsType", BUNDLE, |_, value| value.text().map(drop)),
    key("optUdiImage", Used, |config, value| { config.opt_udi_image = Some(value.path()?); Ok(()) }),
    key("sitePreMountHook", Used, |config, value| { config.pre_mount_hook = Some(value.path()?); Ok(()) }),
    key("sitePostMountHook", Used, |config, value| { config.post_mount_hook = Some(value.path()?); Ok(()) }),
    key("siteFs", Used, |config, value| { config.site_fs.extend(value.volumes()?); Ok(()) }),
    key("siteEnv", Used, |config, value| { config.environment.set.extend(value.assignments()?); Ok(()) }),
    key("siteEnvAppend", Used, |config, value| { config.environment.append.extend(value.additions()?); Ok(()) }),
    key("siteEnvPrepend", Used, |config, value| { config.environment.prepend.extend(value.additions()?); Ok(()) }),
    key("siteEnvUnset", Used, |config, value| { config.environment.unset.extend(value.variables()); Ok(()) }),
    key("usersToImport", Used, |config, value| { config.users_to_import.extend(value.words()); Ok(()) }),
    key("populateEtcDynamically", Used, |config, value| { config.populate_etc = value.flag(); Ok(()) }),
    key("allowLibcPwdCalls", Used, |config, value| { config.allow_name_service = value.flag(); Ok(()) }),
    key("maxGroupCount", Used, |config, value| { config.max_group_count = value.number()?; Ok(()) }),
    key("allowLocalChroot", Used, |config, value| { config.allow_local_images = value.flag(); Ok(()) }),
    key("mountUdiRootWritable", Used, |config, value| { config.root_writable = value.flag(); Ok(()) }),
    key("mountPropagationStyle", Used, |config, value| { config.propagation = propagation(value)?; Ok(()) }),
    key("perNodeCachePath", Used, |config, value| { config.cache.path = Some(value.path()?); Ok(()) }),
    key("perNodeCacheSizeLimit", Used, |config, value| { config.cache.size_limit = value.bytes()?; Ok(()) }),
    key("perNodeCacheAllowedFsType", Used, |config, value| { config.cache.allowed.extend(value.words()); Ok(()) }),
    key("imageGateway", Used, |config, value| { config.gateways.extend(value.words()); Ok(()) }),
    key("gatewayTimeout", Used, |config, value| { config.gateway_timeout = value.number()?; Ok(()) }),
    key("system", Used, |config, value| { config.system = Some(value.text()?); Ok(()) }),
    key("defaultImageType", Used, |config, value| { config.default_image_type = Some(value.text()?); Ok(()) }),
    key("defaultModules", Used, |config, value| { config.default_modules = value.names(); Ok(()) }),
    key("batchType", Unused("only a script of Shifter's reads it"), skip),
    key("nodeContextPrefix", NEVER_USED, skip),
    key("kmodBasePath", Deprecated, skip),
    key("kmodCacheFile", Deprecated, skip),
    key("autoLoadKernelModule", Deprecated, skip),
    key("optionalSshdAsRoot", Deprecated, skip),
];

fn propagation(value: Value<'_>) -> Result<Propagation, Problem> {
    match value.0 {
        "private" => Ok(Propagation::Private),
        "slave" => Ok(Propagation::Slave),
        other => Err(Problem::NotOneOf {
            wanted: "private or slave",
            found: other.to_owned(),
        }),
    }
}

/// The key of this name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}
