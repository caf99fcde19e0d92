use std::path::Path;

use serde_json::{Value, json};

use super::*;

fn good() -> Value {
    json!({
        "DefaultImageLocation": "reg.io",
        "CacheDirectory": "/images/cache",
        "Platforms": { "cluster": {
            "mungeSocketPath": "/run/munge/munge.socket.2",
            "accesstype": "local",
            "admins": ["root"],
            "local": { "imageDir": "/images" },
        } },
        "Locations": { "reg.io": { "remotetype": "dockerv2", "url": "https://registry.example" } },
    })
}

fn read(value: &Value) -> Result<Configuration, Vec<String>> {
    let path = Path::new("/etc/im.json");
    Configuration::parse(value.to_string().as_bytes(), path).map_err(|error| match error {
        ConfigurationError::Faults { faults, .. } => faults,
        other => vec![other.to_string()],
    })
}

/// The good one with `value` at `pointer`.
fn with(pointer: &str, value: Value) -> Value {
    let mut whole = good();
    let (above, key) = pointer.rsplit_once('/').unwrap();
    whole.pointer_mut(above).unwrap()[key] = value;
    whole
}

#[test]
fn what_shifter_needs_is_enough() {
    let read = read(&good()).unwrap();
    assert_eq!(read.pull_update.as_secs(), 300);
    assert_eq!(read.workers, 1);
    assert_eq!(read.importers, Importers::Nobody);
    assert_eq!(read.tls, Tls::Own);
    assert!(read.authentication.munge && !read.authentication.tokens);
    assert_eq!(
        read.platforms["cluster"].access,
        Access::Local("/images".into())
    );
    assert!(read.warnings.is_empty(), "{:?}", read.warnings);
}

#[test]
fn shifters_own_keys_are_known() {
    let value = with("/MongoDBURI", json!("mongodb://localhost/"));
    let read_value = read(&value).unwrap();
    assert!(read_value.warnings[0].starts_with("MongoDBURI: has no effect"));
    let value = with("/ImageExpirationTimeout", json!("90:00:00:00"));
    assert_eq!(
        read(&value).unwrap().expiration,
        Some(Duration::from_secs(90 * 86_400))
    );
    let value = with("/Locations/reg.io/url", json!("registry.example"));
    assert_eq!(
        read(&value).unwrap().locations["reg.io"].url,
        "https://registry.example"
    );
}

#[test]
fn every_fault_has_a_line_with_its_key() {
    for (pointer, value, line) in [
        (
            "/Workers",
            json!(2),
            "Workers: isn't a key that is known here",
        ),
        ("/WorkerThread", json!(2), "did you mean WorkerThreads?"),
        (
            "/WorkerThreads",
            json!("2"),
            "WorkerThreads: must be a whole number, and is the text \"2\"",
        ),
        (
            "/WorkerThreads",
            json!(0),
            "WorkerThreads: must be from 1 to 256",
        ),
        (
            "/Platforms/cluster/admins",
            json!("root"),
            "Platforms.cluster.admins: must be a list of names",
        ),
        (
            "/Platforms/cluster/policy_file",
            json!("/p"),
            "say SignaturePolicy",
        ),
        (
            "/Platforms/cluster/accesstype",
            json!("ftp"),
            "Platforms.cluster.accesstype: \"ftp\" is none of local, remote",
        ),
        (
            "/Platforms/cluster/local/imageDir",
            json!("/im ages"),
            "Platforms.cluster.local.imageDir: \"/im ages\"",
        ),
        (
            "/Platforms/cluster/local/imageDir",
            json!("images"),
            "must begin with /",
        ),
        (
            "/ImportUsers",
            json!("roots"),
            "ImportUsers: must be a list of names",
        ),
        ("/Authentication", json!("mock"), "proves nothing"),
        (
            "/DefaultImageLocation",
            json!("other"),
            "\"other\" is none of the Locations",
        ),
        (
            "/DefaultImageFormat",
            json!("ext4"),
            "\"ext4\" is none of erofs, squashfs",
        ),
        (
            "/ImageExpirationTimeout",
            json!("90"),
            "isn't DAYS:HOURS:MINUTES:SECONDS",
        ),
        (
            "/Locations/reg.io/url",
            json!("ftp://x"),
            "isn't an address",
        ),
        (
            "/Locations/reg.io/remotetype",
            json!("dockerv1"),
            "none of dockerv2",
        ),
        ("/TLS", json!({ "certificate": "/c" }), "TLS: has two keys"),
        (
            "/Limits",
            json!({ "Quota": 1 }),
            "Limits.Quota: isn't a key",
        ),
    ] {
        let faults = read(&with(pointer, value)).unwrap_err();
        assert!(
            faults.iter().any(|fault| fault.contains(line)),
            "{line}: {faults:?}"
        );
    }
}

#[test]
fn all_faults_are_found_at_once() {
    let mut value = with("/WorkerThreads", json!(0));
    value["Metrics"] = json!("yes");
    value["Bogus"] = json!(1);
    assert_eq!(read(&value).unwrap_err().len(), 3);
}

#[test]
fn a_remote_system_is_one_host_and_a_user() {
    let remote = json!({
        "accesstype": "remote", "admins": [], "host": ["login1", "login2"],
        "ssh": { "username": "shifter", "key": "/k", "imageDir": "/images", "sshCmdOptions": ["-p", "22"] },
    });
    let read_value = read(&with("/Platforms/cluster", remote.clone())).unwrap();
    let Access::Remote(found) = &read_value.platforms["cluster"].access else {
        panic!("not remote");
    };
    assert_eq!(
        (found.host.as_str(), found.user.as_str()),
        ("login1", "shifter")
    );
    assert!(read_value.warnings[0].contains("only the first"));
    for (key, bad) in [
        ("host", json!("-oProxyCommand=x")),
        ("host", json!(["a b"])),
    ] {
        let mut bad_remote = remote.clone();
        bad_remote[key] = bad;
        assert!(read(&with("/Platforms/cluster", bad_remote)).is_err());
    }
}

#[test]
fn what_is_no_json_is_told_with_its_line() {
    let error = Configuration::parse(b"{\n\"a\": }", Path::new("/im.json")).unwrap_err();
    assert!(error.to_string().starts_with("/im.json:2: "), "{error}");
}
