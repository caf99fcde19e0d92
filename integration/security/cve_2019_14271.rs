//! Nothing of an image's is loaded into the runtime: the C library asks the name service of whatever root it
//! is in, and that loads libraries which `/etc/nsswitch.conf` names (CVE-2019-14271).

use std::fs;

use integration::{Bench, Tool, plain};
use serde_json::json;

/// Leaves a trace wherever it is loaded.
const LIBRARY: &str = r#"
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void loaded(void) { close(open("/loaded", O_CREAT | O_WRONLY, 0644)); }
"#;

#[test]
fn a_library_that_the_image_names_for_its_users_is_never_loaded() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "bundle", &["true"]);
    let libraries = bundle.rootfs().join("lib/x86_64-linux-gnu");
    let source = bench.file("evil.c", LIBRARY);
    fs::create_dir_all(&libraries).expect("a directory");
    let library = libraries.join("libnss_evil.so.2");
    let compile = Tool::new("gcc").args(["-shared", "-fPIC", "-o"]);
    compile.arg(&library).arg(&source).expect(0);
    let nsswitch = "passwd: evil\ngroup: evil\nhosts: evil\n";
    fs::write(bundle.rootfs().join("etc/nsswitch.conf"), nsswitch).expect("write");
    let trace = bundle.rootfs().join("loaded");
    for env in [
        json!(["PATH=/bin"]),
        json!(["PATH=/bin", "HOME="]),
        json!(["HOME=/", "PATH=/bin", "HOME="]),
        json!([]),
    ] {
        for user in [
            json!({ "uid": 0, "gid": 0 }),
            json!({ "uid": 1000, "gid": 1000 }),
        ] {
            bundle.edit(|spec| {
                spec["process"]["env"] = env.clone();
                spec["process"]["user"] = user.clone();
                spec["process"]["args"] = json!(["/bin/true"]);
            });
            bundle.run(&bench).expect(0);
            assert!(!trace.exists(), "{env}, {user}");
        }
    }
    // The library is one: what loads it leaves the trace.
    let preload = "/lib/x86_64-linux-gnu/libnss_evil.so.2";
    bundle.edit(|spec| {
        spec["process"]["args"] = json!(["/bin/probe", "nothing"]);
        spec["process"]["env"] = json!([format!("LD_PRELOAD={preload}")]);
        spec["process"]["user"] = json!({ "uid": 0, "gid": 0 });
    });
    bundle.run(&bench).run();
    assert!(trace.exists(), "the control");
}
