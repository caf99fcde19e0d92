//! What the site puts beside the image's own files.

use super::*;
use crate::bundle::Entry;

/// The content of a file of the layer.
fn content(container: &Container, path: &str) -> String {
    match container.layer.entry(Path::new(path)) {
        Some(Entry::File { content, .. }) => String::from_utf8(content.clone()).unwrap(),
        other => panic!("{path}: {other:?}"),
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
