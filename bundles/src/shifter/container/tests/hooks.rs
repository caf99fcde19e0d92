//! The site's scripts, which root runs.

use super::*;
use crate::promise::{Kind, USER_HOOKS_ANNOTATION, check};

/// Each sees what is there by then, and what it leaves is the container's.
#[test]
fn root_runs_the_sites_scripts_in_shifters_order() {
    let site = Site::new(
        "sitePreMountHook=/pre\nsitePostMountHook=/post\nmodule_a_roothook=/a\nmodule_a_userhook=/u\n\
         module_a_siteFs=/usr:/modules-usr\nmodule_b_roothook=/b\ndefaultModules=b,a",
    );
    let request = site.request("/made:/mnt");
    let image = fs::File::open(site.base().join("image")).unwrap();
    let mut seen = vec![];
    let mut run = |hook: &RootHook<'_>, stage: &Stage<'_>| {
        let mounts = stage.mounts.iter().map(|mount| mount.destination);
        let mounts: Vec<String> = mounts.map(|path| path.display().to_string()).collect();
        seen.push(format!("{} {}", hook.key, mounts.join(" ")));
        if hook.script != Path::new("/post") {
            return Ok(None);
        }
        let mut layer = stage.layer.clone();
        layer.add_link(Path::new("/made"), Path::new("mounted/u"));
        layer.add_target(Path::new("/mounted"), true);
        let mount = LeftMount {
            destination: "/mounted".into(),
            source: site.base().join("home"),
            options: vec!["ro".to_owned()],
        };
        Ok(Some(Left {
            layer,
            mounts: vec![mount],
        }))
    };
    let mut draft = Draft::begin(request, image.as_fd(), &mut run).unwrap();
    let source = draft.open_volume(0).unwrap();
    draft.mount_volume(0, source).unwrap();
    let container = draft.finish(None).unwrap();
    let site_fs = "/opt/udiImage/README /opt/udiImage/bin /home /site /hosts-usr";
    let of_modules = format!("{site_fs} /mounted /modules-usr");
    assert_eq!(
        seen,
        [
            "sitePreMountHook ".to_owned(),
            format!("sitePostMountHook {site_fs}"),
            format!("module_b_roothook {of_modules}"),
            format!("module_a_roothook {of_modules}"),
        ]
    );
    let mounts = container.spec.mounts().clone().unwrap();
    let mounted = mounts
        .iter()
        .find(|mount| mount.destination() == Path::new("/mounted"));
    let options = mounted.unwrap().options().clone().unwrap();
    for option in ["rbind", "nosuid", "rnosuid", "nodev", "rnodev", "ro"] {
        assert!(options.iter().any(|have| have == option), "{options:?}");
    }
    // The user's volume comes from what the script has mounted.
    assert_eq!(container.pinned.len(), 1);
    let annotations = container.spec.annotations().clone().unwrap();
    assert_eq!(annotations[USER_HOOKS_ANNOTATION], r#"["/u"]"#);
    assert!(check(&container.spec, Kind::Shifter).is_kept());
}

#[test]
fn a_script_that_fails_ends_it() {
    let site = Site::new("sitePreMountHook=/pre");
    let image = fs::File::open(site.base().join("image")).unwrap();
    let mut run = |hook: &RootHook<'_>, _: &Stage<'_>| {
        Err(ContainerError::Hook {
            key: hook.key.clone(),
            script: hook.script.to_path_buf(),
            reason: "exit status 3".to_owned(),
        })
    };
    let error = Draft::begin(site.request(""), image.as_fd(), &mut run).unwrap_err();
    assert_eq!(error.to_string(), "sitePreMountHook: /pre: exit status 3");
}
