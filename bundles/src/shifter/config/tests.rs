//! Vectors of `tests/data/shifter/config`.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::*;
use crate::shifter::trusted::TrustError;
use crate::shifter::volumes::signature;
use crate::vectors::{Wrong, vectors};

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text.as_bytes(), Path::new("udiRoot.conf"))
}

fn minimal(lines: &str) -> String {
    format!("imagePath=/i\netcPath=/e\n{lines}\n")
}

fn full() -> Config {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/shifter/config/full.conf");
    Config::parse(&fs::read(path).unwrap(), Path::new("udiRoot.conf")).unwrap()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

#[test]
fn every_line_does_as_expected() {
    let mut wrong = Wrong::default();
    for vector in vectors("shifter/config/lines.tsv") {
        let lines = vector[0].replace('|', "\n");
        let found = match parse(&minimal(&lines)) {
            Ok(_) => "ok".to_owned(),
            Err(error) => {
                let message = error.to_string();
                assert_eq!(message.lines().count(), 1, "{message}");
                let message = message.strip_prefix("udiRoot.conf").unwrap();
                format!("refused\t{message}")
            }
        };
        wrong.unless(&vector, &found, &vector[1..].join("\t"));
    }
    wrong.none();
}

#[test]
fn a_full_file_is_read_whole() {
    let config = full();
    assert_eq!(config.image_path, Path::new("/images"));
    assert_eq!(
        signature(&config.site_fs),
        "/a:/b:ro;/home:/home;/scratch:/global/scratch:rec:slave"
    );
    let environment = &config.environment;
    assert_eq!(
        environment.set,
        pairs(&[("SHIFTER_RUNTIME", "1"), ("NEW_VAR", "a=b"), ("MORE", "1")])
    );
    assert_eq!(environment.append, pairs(&[("PATH", "/opt/udiImage/bin")]));
    assert_eq!(environment.prepend, pairs(&[("PATH", "/sbin")]));
    assert_eq!(environment.unset, ["LD_LIBRARY_PATH", "NEW_VAR"]);
    assert_eq!(config.users_to_import, ["root", "daemon"]);
    assert!(config.populate_etc && config.allow_name_service);
    assert!(config.allow_local_images && config.root_writable);
    assert_eq!((config.max_group_count, config.gateway_timeout), (31, 10));
    assert_eq!(config.propagation, Propagation::Slave);
    assert_eq!(config.cache.size_limit, 2 << 30);
    assert_eq!(config.gateways, ["http://one:5000", "https://two:5000"]);
    assert_eq!(config.default_modules, ["mpich", "gpu"]);
    let names: Vec<&str> = config.modules.iter().map(|one| &*one.name).collect();
    assert_eq!(names, ["mpich", "openmpi", "gpu", "off"]);
    let mpich = config.module("mpich").unwrap();
    assert_eq!(signature(&mpich.site_fs), "/x:/y;/z:/z");
    assert_eq!(mpich.conflicts, ["openmpi"]);
    let sshd = &config.module("gpu").unwrap().sshd;
    assert_eq!(sshd.program.as_deref(), Some(Path::new("/usr/sbin/sshd")));
    assert_eq!((sshd.port, sshd.listen.as_deref()), (2222, Some("%n-ib0")));
    let openmpi = config.module("openmpi").unwrap();
    assert_eq!(openmpi.environment.set, pairs(&[("B", "2")]));
}

/// Whoever adds a key adds it to the full file.
#[test]
fn the_full_file_has_every_key() {
    let config = full();
    let given = |key: &str| {
        config
            .entries
            .all
            .iter()
            .any(|entry| entry.key.ends_with(key))
    };
    for key in keys::KEYS {
        assert!(given(key.name), "{}", key.name);
    }
    for key in modules::KEYS {
        assert!(given(&format!("_{key}")), "{key}");
    }
}

#[test]
fn a_later_line_takes_the_place_of_an_earlier_one() {
    let config = parse(&minimal("system=a\nsystem=b")).unwrap();
    assert_eq!(config.system.as_deref(), Some("b"));
}

#[test]
fn what_nothing_works_without_is_missed_by_name() {
    for (text, key) in [
        ("etcPath=/e\n", "imagePath"),
        ("imagePath=/i\n", "etcPath"),
        ("", "imagePath"),
    ] {
        let error = parse(text).unwrap_err().to_string();
        let wanted = format!("udiRoot.conf: {key} is missing");
        assert!(error.starts_with(&wanted), "{error}");
    }
    parse("imagePath=/i\npopulateEtcDynamically=1\n").unwrap();
    let error = Config::parse(b"a=b\nc=\xff\n", Path::new("c")).unwrap_err();
    assert_eq!(error.to_string(), "c:2: is not UTF-8 text");
}

#[test]
fn modules_are_chosen_as_shifter_chooses_them() {
    let config = parse(&minimal(
        "module_mpich_conflict=openmpi\nmodule_openmpi_siteEnv=A=1\nmodule_gpu_siteEnv=A=1\n\
         module_off_enabled=0\ndefaultModules=mpich",
    ))
    .unwrap();
    let mut wrong = Wrong::default();
    for vector in vectors("shifter/config/modules.tsv") {
        let asked = Some(&*vector[0]).filter(|asked| *asked != "-");
        let found = match config.choose_modules(asked) {
            Ok(modules) => modules
                .iter()
                .map(|module| module.name.clone())
                .collect::<Vec<_>>()
                .join(","),
            Err(problem) => problem.to_string(),
        };
        wrong.unless(&vector, &found, &vector[1]);
    }
    wrong.none();
}

#[test]
fn caches_are_held_to_the_sites_limits() {
    let cache = |size| PerNodeCache {
        size,
        block_size: 1,
    };
    let mut rules = CacheRules::default();
    assert!(
        rules
            .allow(&cache(1))
            .unwrap_err()
            .contains("perNodeCachePath")
    );
    rules.path = Some("/tmp".into());
    rules.allow(&cache(u64::MAX)).unwrap();
    rules.size_limit = 100;
    rules.allow(&cache(100)).unwrap();
    assert!(
        rules
            .allow(&cache(101))
            .unwrap_err()
            .contains("limit of 100")
    );
    rules.allowed = vec!["ext4".to_owned()];
    assert!(rules.allow(&cache(1)).unwrap_err().contains("allows ext4"));
    rules.allowed.push("xfs".to_owned());
    rules.allow(&cache(1)).unwrap();
}

#[test]
fn a_file_that_others_could_have_written_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("udiRoot.conf");
    fs::write(&path, minimal("")).unwrap();
    let set = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    let owners = [0, directory.path().metadata().unwrap().uid()];
    set(0o644);
    Config::read(&path, &owners).unwrap();
    for mode in [0o664, 0o646] {
        set(mode);
        let error = Config::read(&path, &owners).unwrap_err();
        assert!(
            matches!(error, ConfigError::File(TrustError::Untrusted { .. })),
            "{error}"
        );
    }
}

/// Findings as `line key weight: text`.
fn findings(lines: &str) -> Vec<String> {
    let config = parse(&minimal(lines)).unwrap();
    let told = |finding: Finding| {
        let line = finding.line.map_or("-".to_owned(), |line| line.to_string());
        let (key, text) = (finding.key, finding.text);
        format!("{line} {key} {:?}: {text}", finding.weight)
    };
    config.findings(&[0]).into_iter().map(told).collect()
}

#[test]
fn what_is_dead_deprecated_doubtful_or_dangerous_is_told() {
    let mut wrong = Wrong::default();
    for vector in vectors("shifter/config/findings.tsv") {
        let [lines, wanted] = &vector[..] else {
            panic!("{vector:?}");
        };
        let found = findings(&lines.replace('|', "\n"));
        if !found.iter().any(|finding| finding.starts_with(wanted)) {
            wrong.unless(&vector, &found.join("; "), wanted);
        }
    }
    wrong.none();
}

#[test]
fn a_hook_that_others_may_write_is_dangerous() {
    let directory = tempfile::tempdir().unwrap();
    let hook = directory.path().join("hook");
    fs::write(&hook, "").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o757)).unwrap();
    let found = findings(&format!("module_a_roothook={}", hook.display()));
    let told = |finding: &String| {
        finding.starts_with("3 module_a_roothook Dangerous:")
            && finding.ends_with("whoever can write it decides what root does")
    };
    assert!(found.iter().any(told), "{found:?}");
}
