//! The policy against bundles that promise something and bundles that don't.

use std::fs;

use bundles::promise::EXCEPTION_ANNOTATION;
use serde_json::{Value, json};

use super::*;

/// A place for a site's file and a bundle; below /var/tmp, which is sticky and root's.
struct Site {
    place: tempfile::TempDir,
}

impl Site {
    fn new(file: &str) -> Self {
        let place = tempfile::tempdir_in("/var/tmp").unwrap();
        fs::create_dir_all(place.path().join("bundle/rootfs")).unwrap();
        let site = Self { place };
        fs::write(site.file(), file).unwrap();
        site
    }

    fn file(&self) -> PathBuf {
        self.place.path().join("config.toml")
    }

    fn policy(&self, asked: Option<&str>) -> Result<Policy> {
        Policy::load_from(asked, &self.file())
    }

    fn bundle(&self, annotations: Value) -> Bundle {
        let spec = json!({
            "ociVersion": "1.0.2",
            "process": { "user": { "uid": 1000, "gid": 1000 }, "args": ["true"], "cwd": "/" },
            "root": { "path": "rootfs" },
            "mounts": [{ "destination": "/proc", "type": "proc", "source": "proc" }],
            "linux": { "namespaces": [{ "type": "mount" }, { "type": "pid" }] },
            "annotations": annotations,
        });
        let directory = self.place.path().join("bundle");
        fs::write(directory.join("config.json"), spec.to_string()).unwrap();
        Bundle::load(&directory).unwrap()
    }
}

fn applied(policy: &Policy, mut bundle: Bundle) -> Result<(Bundle, Vec<String>)> {
    let changes = policy.apply(&mut bundle)?;
    Ok((bundle, changes))
}

fn annotation<'a>(bundle: &'a Bundle, key: &str) -> Option<&'a str> {
    let annotations = bundle.spec.annotations().as_ref()?;
    annotations.get(key).map(String::as_str)
}

#[test]
fn off_changes_nothing_but_what_a_bundle_claims_of_us() {
    let site = Site::new("");
    let bundle = site.bundle(json!({ "a": "b", POLICY_ANNOTATION: "seal (lies)" }));
    let (bundle, changes) = applied(&site.policy(None).unwrap(), bundle).unwrap();
    assert!(changes.is_empty() && bundle.kind.is_none());
    assert_eq!(annotation(&bundle, "a"), Some("b"));
    assert_eq!(annotation(&bundle, POLICY_ANNOTATION), None);
}

#[test]
fn check_names_every_broken_row() {
    let site = Site::new("policy = \"check\"");
    let policy = site.policy(None).unwrap();
    let error = applied(&policy, site.bundle(json!({})))
        .unwrap_err()
        .to_string();
    for row in [
        "no privilege",
        "none to gain",
        "setuid is dead",
        "few system calls",
    ] {
        assert!(error.contains(row), "{row}: {error}");
    }
    assert!(error.contains("config.toml"), "{error}");
}

#[test]
fn seal_seals_and_records_it_and_then_check_finds_nothing() {
    let site = Site::new("policy = \"seal\"");
    let (sealed, changes) = applied(&site.policy(None).unwrap(), site.bundle(json!({}))).unwrap();
    assert_eq!(sealed.kind, Some(Kind::Sealed));
    assert_eq!(annotation(&sealed, KIND_ANNOTATION), Some("sealed"));
    let recorded = annotation(&sealed, CHANGES_ANNOTATION).unwrap();
    assert_eq!(recorded, changes.join("; "));
    assert!(recorded.contains("process.noNewPrivileges set"));
    assert!(
        annotation(&sealed, POLICY_ANNOTATION)
            .unwrap()
            .starts_with("seal (")
    );
    // The same spec without the annotation passes `check`, and is then held to the promise.
    let mut again = sealed.clone();
    again.kind = None;
    let check = site.policy(Some("check")).unwrap();
    let (checked, changes) = applied(&check, again).unwrap();
    assert!(changes.is_empty());
    assert_eq!(checked.kind, Some(Kind::Sealed));
}

#[test]
fn root_on_the_host_is_refused_or_becomes_somebody_else() {
    let site = Site::new("policy = \"seal\"");
    let as_root = || {
        let mut bundle = site.bundle(json!({}));
        let user = bundle.spec.process_mut().as_mut().unwrap().user_mut();
        user.set_uid(0).set_gid(0);
        bundle
    };
    let error = applied(&site.policy(None).unwrap(), as_root())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("nobody: ") && error.contains("hint: seal.run-as"),
        "{error}"
    );
    fs::write(
        site.file(),
        "policy = \"seal\"\n[seal]\nrun-as = \"65534:65533\"\n",
    )
    .unwrap();
    let (sealed, _) = applied(&site.policy(None).unwrap(), as_root()).unwrap();
    let user = sealed.spec.process().as_ref().unwrap().user();
    assert_eq!((user.uid(), user.gid()), (65_534, 65_533));
}

#[test]
fn exceptions_need_the_sites_word_for_them_and_for_the_place() {
    let key = |what: &str| format!("{EXCEPTION_ANNOTATION}{what}");
    let site = Site::new("");
    let asking = |what: &str| site.bundle(json!({ key(what): "a test" }));
    let refused = |what: &str| {
        let policy = site.policy(Some("seal")).unwrap();
        applied(&policy, asking(what)).unwrap_err().to_string()
    };
    assert!(refused("root").contains("the exception \"root\""));
    assert!(refused("everything").contains("annotations"));
    let here = site.place.path().canonicalize().unwrap();
    let elsewhere = format!(
        "[[exception]]\nallow = \"root\"\nbundles = [\"{}x\"]\n",
        here.display()
    );
    fs::write(site.file(), elsewhere).unwrap();
    assert!(
        refused("root").contains("config.toml"),
        "{}",
        refused("root")
    );
    let file = format!(
        "[[exception]]\nallow = \"root\"\nbundles = [\"{}\"]\n",
        here.display()
    );
    fs::write(site.file(), file).unwrap();
    let policy = site.policy(Some("seal")).unwrap();
    let (sealed, _) = applied(&policy, asking("root")).unwrap();
    assert_eq!(sealed.granted, [promise::Exception::Root]);
    assert!(refused("capability.CAP_SYS_ADMIN").contains("CAP_SYS_ADMIN"));
    // A bundle that is sealed by itself gets none either that the site doesn't allow.
    let mut own = sealed;
    own.granted.clear();
    fs::write(site.file(), "").unwrap();
    assert!(applied(&site.policy(None).unwrap(), own).is_err());
}

#[test]
fn a_word_stands_in_for_the_files_and_a_file_for_the_sites() {
    let site = Site::new("policy = \"seal\"\n[seal]\nrun-as = \"7:8\"\n");
    let mode = |asked: Option<&str>| site.policy(asked).unwrap().mode;
    assert_eq!(mode(None), Mode::Seal);
    assert_eq!(mode(Some("off")), Mode::Off);
    let check = site.policy(Some("check")).unwrap();
    assert_eq!(
        (check.mode, check.run_as),
        (Mode::Check, Some(RunAs { uid: 7, gid: 8 }))
    );
    let other = site.place.path().join("other.toml");
    fs::write(&other, "policy = \"check\"").unwrap();
    let other = site.policy(other.to_str()).unwrap();
    assert_eq!((other.mode, other.run_as), (Mode::Check, None));
}

#[test]
fn what_can_not_be_trusted_or_read_stops_everything() {
    use std::os::unix::fs::PermissionsExt;

    let site = Site::new("polcy = \"seal\"");
    for asked in [None, Some("off"), Some("seal")] {
        assert!(matches!(
            site.policy(asked),
            Err(Error::Invalid { line: 1, .. })
        ));
    }
    fs::write(site.file(), "").unwrap();
    fs::set_permissions(site.file(), fs::Permissions::from_mode(0o666)).unwrap();
    assert!(matches!(site.policy(None), Err(Error::Untrusted { .. })));
    let absent = site.place.path().join("absent.toml");
    assert!(matches!(
        site.policy(absent.to_str()),
        Err(Error::Missing(_))
    ));
    // The site's own file may be absent.
    fs::remove_file(site.file()).unwrap();
    assert_eq!(site.policy(None).unwrap().mode, Mode::Off);
}
