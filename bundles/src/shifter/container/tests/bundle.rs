//! What is in the `config.json` as a whole.

use super::*;
use crate::promise::{Kind, check};
use crate::shifter::cdi::Node;

/// The `config.json` that a request gives, but for the place of the test and its user.
fn golden(site: &Site, container: &Container) -> String {
    let mut spec = serde_json::to_value(&container.spec).unwrap();
    // Lists of calls have a golden test of their own beside the profile.
    spec["linux"]["seccomp"]["syscalls"] = "(the parallel profile)".into();
    spec["linux"]["seccomp"]["architectures"] = "(the native one)".into();
    spec["process"]["user"]["uid"] = "(the caller's)".into();
    format!("{spec:#}\n").replace(site.base().to_str().unwrap(), "@")
}

/// With `UPDATE_GOLDEN` the file is written anew, for a person to judge.
#[track_caller]
fn assert_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/shifter/container")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, text).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    for (number, (wanted, found)) in golden.lines().zip(text.lines()).enumerate() {
        assert_eq!(wanted, found, "{name}:{}", number + 1);
    }
    assert_eq!(golden.lines().count(), text.lines().count(), "{name}");
}

#[test]
fn a_plain_request_gives_the_bundle_that_was_read_and_found_right() {
    let site = Site::new("");
    assert_golden("plain.config.json", &golden(&site, &site.with("").unwrap()));
}

#[test]
fn modules_and_volumes_give_the_bundle_that_was_read_and_found_right() {
    let site = Site::new(
        "module_mpich_copyPath=@/mpich\nmodule_mpich_siteFs=@/mpich:/opt/mpich\n\
         defaultModules=mpich\nmountUdiRootWritable=1",
    );
    let container = site
        .with("/home/u/rel:/new/deep/place:ro;/home/u/notes:/mnt/notes;/home/u:/tmp")
        .unwrap();
    assert_golden("full.config.json", &golden(&site, &container));
    let places: Vec<&Path> = container
        .pinned
        .iter()
        .map(|pinned| &*pinned.place)
        .collect();
    // The first is the image's: nothing has to be opened for it.
    assert_eq!(
        places,
        [
            Path::new("/run/udi/volumes/1"),
            Path::new("/run/udi/volumes/2")
        ]
    );
}

#[test]
fn the_same_request_gives_the_same_bytes_and_keeps_the_promise() {
    let site = Site::new("");
    let volumes = "/home/u:/data2";
    let once = site.with(volumes).unwrap();
    let again = site.with(volumes).unwrap();
    assert_eq!(golden(&site, &once), golden(&site, &again));
    let report = check(&once.spec, Kind::Shifter);
    assert!(report.is_kept(), "{}", report.summary());
    assert_eq!(Kind::of(&once.spec).unwrap(), Some(Kind::Shifter));
}

#[test]
fn without_root_a_bundle_has_a_user_namespace_and_leaves_groups_alone() {
    let site = Site::new("");
    let mut request = site.request("");
    request.user_namespace = true;
    request.places.host = Some("/run/udi/host".into());
    request.places.system = Some("/run/udi/host/sys".into());
    let container = site.container(request).unwrap();
    let report = check(&container.spec, Kind::Shifter);
    assert!(report.is_kept(), "{}", report.summary());
    let spec = serde_json::to_value(&container.spec).unwrap();
    let itself = |id: u32| serde_json::json!([{"containerID": id, "hostID": id, "size": 1}]);
    assert_eq!(spec["linux"]["uidMappings"], itself(site.uid));
    assert_eq!(spec["linux"]["gidMappings"], itself(1000));
    let groups = &spec["process"]["user"]["additionalGids"];
    assert!(groups.is_null(), "{groups}");
    let mounts = spec["mounts"].as_array().unwrap();
    let system = mounts.iter().find(|mount| mount["destination"] == "/sys");
    assert_eq!(system.unwrap()["source"], "/run/udi/host/sys");
    // Every other bind is of what root is to mount.
    let pinned = container.pinned.iter().map(|pinned| &pinned.place);
    let pinned: Vec<&str> = pinned.map(|place| place.to_str().unwrap()).collect();
    let binds = mounts.iter().filter(|mount| mount["type"] == "bind");
    let sources: Vec<&str> = binds
        .map(|mount| mount["source"].as_str().unwrap())
        .filter(|source| !source.ends_with("/sys"))
        .collect();
    assert_eq!(sources, pinned);
    let recursive = container.pinned.iter().filter(|pinned| pinned.recursive);
    assert_eq!(recursive.count(), 1);
}

#[test]
fn what_a_container_cannot_be_made_for_is_told_in_a_line() {
    let refused = |lines: &str, change: fn(&mut Request<'_>)| {
        let site = Site::new(lines);
        let mut request = site.request("");
        change(&mut request);
        let message = site.container(request).unwrap_err().to_string();
        assert_eq!(message.lines().count(), 1, "{message}");
        message.replace(site.base().to_str().unwrap(), "@")
    };
    let same = |_: &mut Request<'_>| {};
    for (message, says) in [
        (
            refused("", |request| request.caller.uid = 0),
            "root can't have a container",
        ),
        (
            refused("", |request| request.caller.gid = 0),
            "has the gid 0",
        ),
        (
            refused("", |request| request.caller.uid = 77),
            "uid 77 is not in @/etc-files/passwd",
        ),
        (
            refused("siteFs=/nosuch", same),
            "siteFs: /nosuch: No such file",
        ),
        (
            refused("siteFs=/usr:/site/x", same),
            "siteFs: /usr:/site/x: /site/x is not there",
        ),
        (
            refused("siteFs=/usr:/x:perNodeCache=size=1", same),
            "no cache was made",
        ),
        (
            refused("optUdiImage=/nosuch", same),
            "optUdiImage: /nosuch: No such file",
        ),
    ] {
        assert!(message.contains(says), "{message}");
    }
}

/// The promise allows just these, and only by name.
#[test]
fn a_device_is_an_exception_of_its_own() {
    let site = Site::new("");
    let mut request = site.request("");
    request.devices.nodes.push(Node {
        path: "/dev/nought".into(),
        host: "/dev/nought".into(),
        major: 1,
        minor: 5,
        mode: 0o640,
        uid: 0,
        gid: 44,
        device: "x.org/dev=one".to_owned(),
    });
    let container = site.container(request).unwrap();
    let report = check(&container.spec, Kind::Shifter);
    assert!(report.is_kept(), "{}", report.summary());
    let asked = crate::promise::exceptions(&container.spec).unwrap();
    let asked: Vec<String> = asked.iter().map(ToString::to_string).collect();
    assert_eq!(asked, ["device./dev/nought"]);
    let devices = container.spec.linux().as_ref().unwrap().devices().clone();
    let [device] = &devices.unwrap()[..] else {
        panic!("one device");
    };
    assert_eq!((device.major(), device.minor()), (1, 5));
    assert_eq!((device.file_mode(), device.gid()), (Some(0o640), Some(44)));
}

/// Who has only the rights of a user namespace can't leave out what the host has mounted below, nor mount a sysfs.
#[test]
fn without_root_everything_below_comes_along_and_keeps_its_limits() {
    let site = Site::new("");
    let mut request = site.request("/home/u:/mnt:ro");
    request.user_namespace = true;
    let container = site.container(request).unwrap();
    let report = check(&container.spec, Kind::Shifter);
    assert!(report.is_kept(), "{}", report.summary());
    let mounts = container.spec.mounts().iter().flatten();
    for mount in mounts.filter(|mount| mount.typ().as_deref() == Some("bind")) {
        let options = mount.options().clone().unwrap_or_default();
        let has = |option: &str| options.iter().any(|have| have == option);
        if mount.destination().starts_with("/sys") {
            assert!(has("bind") && has("ro"), "{mount:?}");
        } else {
            assert!(has("rbind") && has("rnosuid") && has("rnodev"), "{mount:?}");
            assert_eq!(has("ro"), has("rro"), "{mount:?}");
        }
    }
    let all = destinations(&container);
    assert!(all.contains(&"/sys/devices".to_owned()), "{all:?}");
    assert!(!all.contains(&"/sys".to_owned()), "{all:?}");
}
