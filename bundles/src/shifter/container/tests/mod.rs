//! A site on a made-up host below a temporary directory, and containers of it.

mod bundle;
mod hooks;
mod site_files;
mod volumes;
mod working_directory;

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use super::*;
use crate::shifter::Config;
use crate::shifter::cdi::Devices;
use crate::shifter::volumes::{Asker, VolumeMap};

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
