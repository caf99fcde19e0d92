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
            "/ConverterOptions",
            json!({ "squashfs": ["-xattrs"] }),
            "ConverterOptions.squashfs: \"-xattrs\" isn't passed on: images have no extended attributes",
        ),
        (
            "/ConverterOptions",
            json!(["-p", "x f 4755 0 0 id"]),
            "ConverterOptions: \"-p\" isn't passed on",
        ),
        (
            "/ConverterOptions",
            json!({ "erofs": "-T0" }),
            "ConverterOptions.erofs: \"-T0\" isn't passed on",
        ),
        (
            "/ConverterOptions",
            json!({ "erofs": 1 }),
            "ConverterOptions.erofs: must be a list of options",
        ),
        (
            "/ConverterOptions",
            json!({ "squash": [] }),
            "ConverterOptions.squash: isn't a key",
        ),
        ("/LogLevel", json!("loud"), "\"loud\" is none of debug"),
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

/// What is made of each key that Shifter's gateway reads, or its own examples have: nothing to tell where it holds.
#[test]
fn every_key_of_shifters_holds_or_is_told_of() {
    let dead = |pointer: &'static str, value: Value| (pointer.to_owned(), value, "no effect here");
    let holds = |pointer: &'static str, value: Value| (pointer.to_owned(), value, "");
    let at = |key: &str, value: Value, told| (format!("/Platforms/cluster/{key}"), value, told);
    for (pointer, value, told) in [
        holds("/WorkerThreads", json!(8)),
        holds("/LogLevel", json!("info")),
        holds("/LogLevel", json!("WARNING")),
        holds("/DefaultImageFormat", json!("squashfs")),
        holds("/PullUpdateTimeout", json!(60)),
        holds("/ImageExpirationTimeout", json!("90:00:00:00")),
        holds("/CacheDirectory", json!("/images/cache/")),
        holds("/ExpandDirectory", json!("/images/expand/")),
        holds("/Authentication", json!("munge")),
        holds("/Metrics", json!(true)),
        holds("/ImportUsers", json!("all")),
        holds("/ImportUsers", json!("none")),
        holds("/ImportUsers", json!(["ann"])),
        holds("/examiner", json!("/usr/local/bin/examiner")),
        holds("/ConverterOptions", json!({ "squashfs": [] })),
        holds(
            "/ConverterOptions",
            json!({ "squashfs": ["-comp", "gzip"] }),
        ),
        holds("/ConverterOptions", json!("-comp gzip -b 1M")),
        dead("/ConverterOptions", json!({ "cramfs": ["-E"] })),
        dead("/MongoDBURI", json!("mongodb://localhost/")),
        dead("/MongoDB", json!("Shifter")),
        dead("/DefaultLustreReplication", json!(1)),
        dead("/DefaultOstCount", json!(16)),
        dead("/PullUpdateTime", json!(60)),
        holds("/Locations/reg.io/url", json!("https://registry.example/")),
        holds("/Locations/reg.io/url", Value::Null),
        holds("/Locations/reg.io/sslcacert", json!("/etc/registry.pem")),
        holds("/Locations/reg.io/authMethod", json!("token")),
        dead("/Locations/reg.io/authentication", json!("http")),
        at("mungeSocketPath", json!("/run/munge/munge.socket.2"), ""),
        at("admins", json!(["root", "ann"]), ""),
        at("usergroupService", json!("local"), "no effect here"),
        at("use_external", json!(true), "no effect here"),
        at("mountCommand", json!("/bin/mount"), "no effect here"),
        at("host", json!(["login1"]), "no effect here"),
        at("ssh", json!({}), "no effect here"),
    ] {
        let read =
            read(&with(&pointer, value)).unwrap_or_else(|faults| panic!("{pointer}: {faults:?}"));
        match told {
            "" => assert!(read.warnings.is_empty(), "{pointer}: {:?}", read.warnings),
            told => assert!(
                read.warnings[0].contains(told),
                "{pointer}: {:?}",
                read.warnings
            ),
        }
    }
    let read = read(&with("/Locations/reg.io/url", Value::Null)).unwrap();
    assert_eq!(read.locations["reg.io"].url, "https://reg.io");
}
