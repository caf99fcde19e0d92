//! A site on a made-up host below a temporary directory, and containers of it.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use super::*;
use crate::bundle::Entry;
use crate::promise::{Kind, USER_HOOKS_ANNOTATION, check};
use crate::shifter::Config;
use crate::shifter::cdi::{Devices, Node};
use crate::shifter::volumes::{Asker, VolumeMap};
use crate::vectors::{Wrong, vectors};

/// The host, and the site's configuration on it.
struct Site {
    directory: tempfile::TempDir,
    owners: Vec<u32>,
    site_files: SiteFiles,
    config: Config,
    uid: u32,
}

const DIRECTORIES: [&str; 16] = [
    "etc",
    "etc-files",
    "tmp",
    "var-tmp",
    "shm",
    "udi/bin",
    "mpich/lib",
    "site/mine",
    "home/u/work",
    "image/data/in",
    "image/mnt",
    "image/etc",
    "image/usr/lib",
    "image/opt/udiImage/fake",
    "image/var",
    "image/parent",
];

const FILES: [(&str, &str); 11] = [
    ("etc/hosts", "127.0.0.1 localhost\n"),
    ("etc/resolv.conf", "nameserver 192.0.2.1\n"),
    (
        "etc-files/passwd",
        "root:x:0:0::/root:/bin/sh\nu:x:UID:1000:U:/home/u:/bin/sh\n",
    ),
    (
        "etc-files/group",
        "root:x:0:u\nstaff:x:50:a,u,b\nwheel:x:60:a\n",
    ),
    ("etc-files/nsswitch.conf", "passwd: files\n"),
    ("etc-files/motd", "hello\n"),
    ("udi/README", ""),
    ("image/etc/passwd", "image\n"),
    ("image/file", ""),
    ("home/u/notes", ""),
    ("tmp/there", ""),
];

const LINKS: [(&str, &str); 7] = [
    ("../../../../data", "home/u/rel"),
    ("/data", "image/lnk"),
    ("/etc", "image/lnketc"),
    ("/etc", "image/parent/etc"),
    ("usr/lib", "image/lib"),
    ("/", "image/slash"),
    ("/lnk", "home/u/absolute"),
];

impl Site {
    fn new(lines: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().canonicalize().unwrap();
        let me = base.metadata().unwrap().uid();
        let uid = if me == 0 { 1000 } else { me };
        for name in DIRECTORIES {
            fs::create_dir_all(base.join(name)).unwrap();
        }
        for (name, text) in FILES {
            let path = base.join(name);
            fs::write(&path, text.replace("UID", &uid.to_string())).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        }
        for (target, link) in LINKS {
            symlink(target, base.join(link)).unwrap();
        }
        if me == 0 {
            chown(base.join("site/mine"), Some(uid), None).unwrap();
        }
        let text = format!(
            "imagePath=/images\netcPath=@/etc-files\noptUdiImage=@/udi\nmaxGroupCount=31\n\
             siteFs=@/home:/home;@/site:/site:ro:rec:slave;/usr:/hosts-usr\n{lines}\n"
        );
        let text = text.replace('@', base.to_str().unwrap());
        let config = Config::parse(text.as_bytes(), Path::new("udiRoot.conf")).unwrap();
        let owners = vec![0, me];
        Self {
            site_files: SiteFiles::read(&config, &owners).unwrap_or_default(),
            owners,
            config,
            uid,
            directory,
        }
    }

    fn base(&self) -> PathBuf {
        self.directory.path().canonicalize().unwrap()
    }

    fn request(&self, volumes: &str) -> Request<'_> {
        let base = self.base();
        let modules = self.config.choose_modules(None).unwrap();
        Request {
            config: &self.config,
            image: ("ubuntu:22.04".to_owned(), "abc".to_owned()),
            image_checked: ("isn't".to_owned(), None),
            image_is_local: false,
            caller: Caller {
                uid: self.uid,
                gid: 1000,
                groups: vec![0, 50, 1000],
            },
            user: None,
            imported: vec![],
            groups: vec![],
            volumes: VolumeMap::parse(volumes, Asker::User).unwrap(),
            caches: vec![],
            devices: Devices::default(),
            sshd: None,
            modules,
            command: vec!["/bin/sh".to_owned(), "-c".to_owned(), "true".to_owned()],
            environment: vec!["PATH=/usr/bin:/bin".to_owned()],
            working_directory: "/home/u/work".to_owned(),
            root_writable: self.config.root_writable,
            umask: 0o027,
            terminal: false,
            hosts: Some("n1\n".to_owned()),
            user_namespace: false,
            places: Places {
                rootfs: "/run/udi/bundle/rootfs".into(),
                volumes: "/run/udi/volumes".into(),
                etc: base.join("etc"),
                temporary: base.join("tmp"),
                var_temporary: base.join("var-tmp"),
                shared_memory: base.join("shm"),
                host: None,
                system: None,
            },
            site_files: &self.site_files,
        }
    }

    fn container(&self, request: Request<'_>) -> Result<Container, ContainerError> {
        let image = fs::File::open(self.base().join("image")).unwrap();
        let mut draft = Draft::begin(request, image.as_fd(), &mut |_, _| Ok(None))?;
        for number in 0..draft.volumes() {
            let source = draft.open_volume(number)?;
            draft.mount_volume(number, source)?;
        }
        let directory = draft.working_directory();
        draft.finish(directory)
    }

    fn with(&self, volumes: &str) -> Result<Container, ContainerError> {
        self.container(self.request(volumes))
    }
}

fn destinations(container: &Container) -> Vec<String> {
    let mounts = container.spec.mounts().iter().flatten();
    mounts
        .map(|mount| mount.destination().display().to_string())
        .collect()
}

/// The content of a file of the layer.
fn content(container: &Container, path: &str) -> String {
    match container.layer.entry(Path::new(path)) {
        Some(Entry::File { content, .. }) => String::from_utf8(content.clone()).unwrap(),
        other => panic!("{path}: {other:?}"),
    }
}

/// The `config.json` that a request gives, but for the place of the test and its user.
fn golden(site: &Site, container: &Container) -> String {
    let mut spec = serde_json::to_value(&container.spec).unwrap();
    // Lists of calls have a golden test of their own beside the profile.
    spec["linux"]["seccomp"]["syscalls"] = "(the networked profile)".into();
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

/// A step finds its working directory in what the job's prolog has built.
#[test]
fn a_directory_is_found_in_a_container_that_is_built() {
    let site = Site::new("");
    let container = site.with("/home/u:/mnt").unwrap();
    let mut spec = container.spec;
    let base = site.base();
    let home = base.join("home/u");
    // What is pinned for the volume isn't mounted in this test.
    let mounts = spec.mounts_mut().as_mut().unwrap();
    let volume = mounts
        .iter_mut()
        .find(|mount| mount.destination() == Path::new("/mnt"));
    volume.unwrap().set_source(Some(home));
    let rootfs = fs::File::open(base.join("image")).unwrap();
    for (wanted, found) in [
        ("/home/u/work", Some("/home/u/work")),
        ("/mnt/work", Some("/mnt/work")),
        ("/lnk/in", Some("/data/in")),
        ("/home/u/notes", None),
        ("/nowhere", None),
        ("relative", None),
    ] {
        let directory = directory_inside(&spec, rootfs.as_fd(), Path::new(wanted));
        assert_eq!(directory.as_deref(), found, "{wanted}");
    }
}

#[test]
fn volumes_come_from_and_go_where_shifter_lets_them_and_where_it_should() {
    let site = Site::new("");
    let mut wrong = Wrong::default();
    for vector in vectors("shifter/container/volumes.tsv") {
        let [volumes, wanted] = &vector[..] else {
            panic!("{vector:?}");
        };
        let number = volumes.split(';').count();
        match site.with(volumes) {
            Ok(container) => {
                let all = destinations(&container);
                let found = all[all.len().saturating_sub(number)..].join(" ");
                // One that takes another's place leaves the one before them.
                let found = match wanted.split(' ').count() {
                    fewer if fewer < number => all[all.len() - fewer..].join(" "),
                    _ => found,
                };
                wrong.unless(&vector, &found, wanted);
            }
            Err(error) if error.to_string().ends_with(&**wanted) => {}
            Err(error) => wrong.unless(&vector, &error.to_string(), wanted),
        }
    }
    wrong.none();
}

/// Where a mount comes from, and its options.
fn source(container: &Container, destination: &str) -> (PathBuf, String) {
    let mut mounts = container.spec.mounts().iter().flatten();
    let mount = mounts
        .find(|mount| mount.destination() == Path::new(destination))
        .unwrap();
    let options = mount.options().clone().unwrap().join(",");
    (mount.source().clone().unwrap(), options)
}

#[test]
fn a_volume_comes_from_an_earlier_one_of_the_same_request() {
    let site = Site::new("");
    let volumes =
        "/data:/mnt;/mnt/in:/x;/etc:/settings;/settings:/again;/home/u:/mine;/mine/work:/y";
    let container = site.with(volumes).unwrap();
    for (destination, from) in [
        ("/mnt", "bundle/rootfs/data"),
        ("/x", "bundle/rootfs/data/in"),
        ("/settings", "bundle/rootfs/etc"),
        ("/again", "bundle/rootfs/etc"),
        ("/mine", "volumes/4"),
        ("/y", "volumes/5"),
    ] {
        let found = source(&container, destination).0;
        assert_eq!(found, Path::new("/run/udi").join(from), "{destination}");
    }
    let work = site.base().join("home/u/work").metadata().unwrap();
    let opened = rustix::fs::fstat(&container.pinned[1].source).unwrap();
    assert_eq!(opened.st_ino, work.ino());
    // Not the other way round.
    let error = site.with("/mnt/in:/x;/data:/mnt").unwrap_err();
    assert!(error.to_string().ends_with("/mnt/in is not there"));
}

/// Bind mounts don't take it over: in Shifter such a volume can be written to.
#[test]
fn a_volume_of_what_the_site_shows_read_only_is_read_only() {
    let site = Site::new("");
    let container = site
        .with("/site/mine:/x;/x:/y;/home/u:/z:ro;/z/work:/again;/home/u:/free")
        .unwrap();
    for (destination, is_read_only) in [
        ("/x", true),
        ("/y", true),
        ("/z", true),
        ("/again", true),
        ("/free", false),
    ] {
        let options = source(&container, destination).1;
        assert_eq!(options.contains(",ro,"), is_read_only, "{destination}");
    }
}

#[test]
fn a_file_is_read_as_it_will_be_inside() {
    let site = Site::new("");
    fs::write(site.base().join("home/u/settings"), "A=1\n").unwrap();
    let image = fs::File::open(site.base().join("image")).unwrap();
    let request = site.request("/home/u:/mine");
    let mut draft = Draft::begin(request, image.as_fd(), &mut |_, _| Ok(None)).unwrap();
    let source = draft.open_volume(0).unwrap();
    draft.mount_volume(0, source).unwrap();
    let read = |path: &str| {
        let content = draft.read_file(Path::new(path), 20);
        content.map(|content| content.map(|content| String::from_utf8(content).unwrap()))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(read("/mine/settings").unwrap(), some("A=1\n"));
    assert_eq!(read("/home/u/settings").unwrap(), some("A=1\n"));
    assert_eq!(read("/etc/motd").unwrap(), some("hello\n"));
    assert_eq!(read("/nosuch/file").unwrap(), None);
    assert_eq!(read("/file/below").unwrap(), None);
    fs::write(site.base().join("home/u/long"), [b'x'; 21]).unwrap();
    for (path, says) in [
        ("/data", "is not a regular file"),
        ("/mine/long", "is longer than 20 bytes"),
    ] {
        assert_eq!(read(path).unwrap_err().to_string(), says, "{path}");
    }
}

/// W3: the image's own links must not lead the site's work to the host.
#[test]
fn an_image_whose_directories_are_links_is_only_itself() {
    let site = Site::new("");
    let image = site.base().join("image");
    fs::remove_dir_all(image.join("etc")).unwrap();
    fs::remove_dir_all(image.join("var")).unwrap();
    for directory in ["etc", "var", "tmp", "proc"] {
        symlink("/usr", image.join(directory)).unwrap();
    }
    let container = site.with("/etc:/mnt").unwrap();
    for path in ["/etc", "/var", "/tmp", "/proc", "/var/tmp"] {
        let entry = container.layer.entry(Path::new(path));
        assert!(matches!(entry, Some(Entry::Directory { .. })), "{path}");
    }
    let mounts = container.spec.mounts().clone().unwrap();
    let last = mounts.last().unwrap().source().clone().unwrap();
    assert_eq!(last, Path::new("/run/udi/bundle/rootfs/etc"));
}

#[test]
fn what_scripts_look_for_is_there() {
    let site = Site::new("");
    let container = site.with("/home/u:/mnt").unwrap();
    assert_eq!(
        content(&container, "/etc/group"),
        "staff:x:50:u\nwheel:x:60:\n"
    );
    assert_eq!(
        content(&container, "/etc/group.orig"),
        "root:x:0:u\nstaff:x:50:a,u,b\nwheel:x:60:a\n"
    );
    assert_eq!(content(&container, "/etc/hosts"), FILES[0].1);
    assert_eq!(content(&container, "/etc/motd"), "hello\n");
    assert_eq!(content(&container, "/etc/shadow"), "");
    assert_eq!(content(&container, "/var/hostsfile"), "n1\n");
    assert!(content(&container, "/etc/passwd").contains("U:/home/u"));
    assert_eq!(
        content(&container, "/var/shifterConfig.json"),
        r#"{"identifier":"abc","user":"u","volMap":"/home/u:/mnt","modules":""}"#
    );
    let mtab = container.layer.entry(Path::new("/etc/mtab"));
    assert_eq!(mtab, Some(&Entry::Link("/proc/mounts".into())));
    // The image's own is hidden.
    let udi_image = container.layer.entry(Path::new("/opt/udiImage"));
    assert!(matches!(
        udi_image,
        Some(Entry::Directory { hides: true, .. })
    ));
}

#[test]
fn passwd_and_group_can_be_made() {
    let site = Site::new("populateEtcDynamically=1");
    let user = |name: &str, uid| accounts::User {
        name: name.to_owned(),
        uid,
        gid: 9,
        gecos: String::new(),
        home: "/h".to_owned(),
        shell: "/s".to_owned(),
    };
    let mut request = site.request("");
    request.user = Some(user("ann", site.uid));
    request.imported = vec![user("daemon", 2), user("ann", site.uid)];
    request.groups = [("staff", 50), ("root", 0), ("daemon", 2), ("staff", 50)]
        .map(|(name, gid)| (name.to_owned(), gid))
        .to_vec();
    let container = site.container(request).unwrap();
    let passwd = content(&container, "/etc/passwd");
    assert_eq!(
        passwd,
        format!("ann:x:{}:9::/h:/s\ndaemon:x:2:9::/h:/s\n", site.uid)
    );
    assert_eq!(
        content(&container, "/etc/group"),
        "staff:x:50:ann\ndaemon:x:2:\n"
    );
    assert!(content(&container, "/etc/nsswitch.conf").contains("hosts: files dns"));
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

#[test]
fn the_sites_files_are_there_and_roots() {
    let site = Site::new("etcPath=@/etc");
    let error = SiteFiles::read(&site.config, &site.owners).unwrap_err();
    let error = error.to_string();
    assert!(
        error.starts_with("etcPath: ") && error.contains("/etc/passwd: No such file"),
        "{error}"
    );
    let error = SiteFiles::read(&site.config, &[4_294_967_294]).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("etcPath: / belongs to uid 0"), "{error}");
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

#[test]
fn a_command_runs_where_it_is_asked_to_if_that_is_there() {
    let site = Site::new("");
    for (wanted, volumes, found) in [
        ("/home/u/work", "", "/home/u/work"),
        ("/lib", "", "/usr/lib"),
        ("/mnt/work", "/home/u:/mnt", "/mnt/work"),
        ("/home/nobody", "", "/"),
        ("/file", "", "/"),
        ("relative", "", "/"),
    ] {
        let mut request = site.request(volumes);
        request.working_directory = wanted.to_owned();
        let container = site.container(request).unwrap();
        let cwd = container.spec.process().as_ref().unwrap().cwd().clone();
        assert_eq!(cwd, Path::new(found), "{wanted}");
        assert_eq!(container.notes.is_empty(), found != "/", "{wanted}");
    }
}
