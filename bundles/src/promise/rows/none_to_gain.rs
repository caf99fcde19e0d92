//! no_new_privs, which execve(2) can't undo.

use oci_spec::runtime::Spec;

use crate::promise::spec_view::process;
use crate::promise::{Kind, Observed, Protection};

pub(crate) const ROW: Protection = Protection {
    name: "none to gain",
    reason: "Shifter rule 1: \"permanently drop privileges using the no_new_privs process control setting\"",
    meaning: "no_new_privs is set: no execve can raise privilege, ever",
    lesser: None,
    in_config,
    on_process,
};

fn in_config(spec: &Spec, _: Kind) -> Vec<String> {
    match process(spec).and_then(|process| process.no_new_privileges()) {
        Some(true) => vec![],
        Some(false) => vec!["process.noNewPrivileges is false".to_owned()],
        None => vec!["process.noNewPrivileges is absent; it must be true".to_owned()],
    }
}

fn on_process(observed: &Observed, _: &Spec, _: Kind) -> Vec<String> {
    if observed.status.no_new_privs {
        return vec![];
    }
    vec!["NoNewPrivs is 0".to_owned()]
}
