//! A container's `state.json`, which whoever owns the state directory can forge.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use runtime::container::Store;

use crate::Run;
use crate::properties::told;

const ID: &str = "forged";

pub(super) fn make(scratch: &Path) -> Run {
    let root = scratch.join("state");
    let directory = root.join(ID);
    fs::create_dir_all(&directory).expect("make a directory");
    for path in [&root, &directory] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).expect("close it to others");
    }
    fs::write(directory.join("lock"), "").expect("write the lock");
    let store = Store::at(Some(root));
    Box::new(move |text| {
        fs::write(directory.join("state.json"), text).expect("write the state");
        fs::write(directory.join("config.json"), text).expect("write the spec");
        match store.look(ID) {
            Err(error) => told(&error),
            Ok(snapshot) => {
                assert_eq!(snapshot.id, ID);
                let told = serde_json::to_value(snapshot.oci_state()).expect("it can be told");
                let is_gone = told["status"] == "stopped" || told["status"] == "creating";
                assert!(!is_gone || told["pid"] == 0, "{told}");
            }
        }
        if let Err(error) = store.glance(ID) {
            told(&error);
        }
        if let Err(error) = store.spec(ID) {
            told(&error);
        }
    })
}
