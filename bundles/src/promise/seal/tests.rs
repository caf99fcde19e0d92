//! Sealing a bundle that podman made, with and without exceptions.

use oci_spec::runtime::{
    Capability, Hooks, Linux, LinuxDeviceBuilder, LinuxDeviceType, LinuxIdMappingBuilder,
    LinuxNamespaceBuilder, LinuxNamespaceType, Spec,
};

use super::*;
use crate::promise::{EXCEPTION_ANNOTATION, check};

const PODMAN: &str = include_str!("../../../tests/data/promise/podman.json");
const NOBODY: RunAs = RunAs {
    uid: 65_534,
    gid: 65_533,
};

fn podman(exceptions: &[&str]) -> Spec {
    let mut spec: Spec = serde_json::from_str(PODMAN).unwrap();
    let annotations = exceptions
        .iter()
        .map(|what| (format!("{EXCEPTION_ANNOTATION}{what}"), "a test".to_owned()));
    spec.set_annotations(Some(annotations.collect()));
    spec
}

fn broken(spec: &Spec) -> Vec<&'static str> {
    let report = check(spec, Kind::Sealed);
    report.broken().map(|row| row.protection).collect()
}

#[test]
fn sealed_as_nobody_it_keeps_the_promise() {
    let mut spec = podman(&[]);
    let changes = seal_as(&mut spec, Kind::Sealed, Some(NOBODY));
    assert_eq!(broken(&spec), [""; 0]);
    let user = process_of(&spec).user();
    assert_eq!((user.uid(), user.gid()), (NOBODY.uid, NOBODY.gid));
    assert_eq!(user.additional_gids().as_deref(), Some(&[10][..]));
    for change in [
        "process.user.uid changed from root's to 65534",
        "process.user.gid changed from root's to 65533",
        "process.user.additionalGids: root's group removed",
        "process.capabilities emptied",
        "mount /sys/fs/cgroup removed",
        "mount /etc/hosts made nosuid",
        "linux.seccomp replaced by the sealed profile",
    ] {
        assert!(changes.iter().any(|have| have == change), "{changes:#?}");
    }
    assert!(seal_as(&mut spec, Kind::Sealed, Some(NOBODY)).is_empty());
}

fn process_of(spec: &Spec) -> &oci_spec::runtime::Process {
    spec.process().as_ref().unwrap()
}

#[test]
fn without_somebody_else_root_is_left_for_the_check_to_name() {
    let mut spec = podman(&[]);
    seal(&mut spec, Kind::Sealed);
    assert_eq!(broken(&spec), ["nobody"]);
    let mut spec = podman(&["root"]);
    seal_as(&mut spec, Kind::Sealed, Some(NOBODY));
    assert_eq!(broken(&spec), [""; 0]);
    assert_eq!(process_of(&spec).user().uid(), 0);
}

#[test]
fn nobody_is_put_in_roots_place_only_where_that_is_somebody_else_on_the_host() {
    for (container, host, size, wanted) in [
        (0u32, 0u32, 70_000u32, NOBODY.uid),
        (0, 0, 1, 0),
        (0, 100_000, 70_000, 0),
        (NOBODY.uid, 0, 1, NOBODY.uid),
        (1, 0, NOBODY.uid, NOBODY.uid),
        (1, 0, 1, 1),
    ] {
        let mut spec = podman(&[]);
        let linux = spec.linux_mut().as_mut().unwrap();
        let user = LinuxNamespaceBuilder::default()
            .typ(LinuxNamespaceType::User)
            .build()
            .unwrap();
        linux.namespaces_mut().get_or_insert_default().push(user);
        let mapping = LinuxIdMappingBuilder::default()
            .container_id(container)
            .host_id(host)
            .size(size)
            .build()
            .unwrap();
        linux.set_uid_mappings(Some(vec![mapping]));
        let process = spec.process_mut().as_mut().unwrap();
        process.user_mut().set_uid(container);
        seal_as(&mut spec, Kind::Sealed, Some(NOBODY));
        assert_eq!(process_of(&spec).user().uid(), wanted);
        assert!(
            seal_as(&mut spec, Kind::Sealed, Some(NOBODY)).is_empty(),
            "{container} is {host}"
        );
    }
}

#[test]
fn an_excepted_capability_stays_where_it_was_asked_for_and_no_other_does() {
    let mut spec = podman(&[
        "root",
        "capability.CAP_NET_BIND_SERVICE",
        "capability.CAP_SYS_ADMIN",
    ]);
    seal(&mut spec, Kind::Sealed);
    assert_eq!(broken(&spec), [""; 0]);
    let capabilities = process_of(&spec).capabilities().clone().unwrap();
    let only = Some([Capability::NetBindService].into());
    assert_eq!(*capabilities.bounding(), only);
    assert_eq!(*capabilities.permitted(), only);
    assert_eq!(*capabilities.ambient(), Some([].into()));
    // Without the exception the same capability breaks its row.
    spec.set_annotations(Some([].into()));
    assert!(broken(&spec).contains(&"no privilege"));
}

#[test]
fn who_is_no_longer_root_gets_an_excepted_capability_as_an_ambient_one() {
    let mut spec = podman(&["capability.CAP_NET_BIND_SERVICE"]);
    seal_as(&mut spec, Kind::Sealed, Some(NOBODY));
    assert_eq!(broken(&spec), [""; 0]);
    let capabilities = process_of(&spec).capabilities().clone().unwrap();
    assert_eq!(
        *capabilities.ambient(),
        Some([Capability::NetBindService].into())
    );
}

#[test]
fn excepted_devices_and_system_calls_stay() {
    let fuse = || {
        LinuxDeviceBuilder::default()
            .path("/dev/fuse")
            .typ(LinuxDeviceType::C)
            .major(10)
            .minor(229)
            .build()
            .unwrap()
    };
    for (exceptions, wanted) in [
        (&["root"][..], &["no devices"][..]),
        (&["root", "device./dev/kvm"], &["no devices"]),
        (&["root", "device./dev/fuse"], &[]),
    ] {
        let mut spec = podman(exceptions);
        let linux = spec.linux_mut().as_mut().unwrap();
        linux.set_devices(Some(vec![fuse()]));
        seal(&mut spec, Kind::Sealed);
        assert_eq!(broken(&spec), wanted, "{exceptions:?}");
    }
    let mut spec = podman(&["root", "system-call.unshare"]);
    seal(&mut spec, Kind::Sealed);
    assert_eq!(broken(&spec), [""; 0]);
    let profile = spec.linux().as_ref().unwrap().seccomp().clone().unwrap();
    let filter = seccomp::compile_strict(&profile).unwrap();
    let decide = |name| {
        filter.decide(&seccomp::Call {
            arch: seccomp::native_audit_arch().unwrap(),
            nr: seccomp::syscall_number(name).unwrap().try_into().unwrap(),
            args: [0; 6],
        })
    };
    assert_eq!(decide("unshare"), seccomp::Decision::Allow);
    assert!(decide("mount").refuses() && decide("setns").refuses());
    spec.set_annotations(Some([].into()));
    assert!(broken(&spec).contains(&"few system calls"));
}

/// Found by made-up inputs: the profile named it, couldn't be loaded, and was replaced by itself at every sealing.
#[test]
fn an_exception_for_a_call_that_this_machine_has_not_is_left_out_of_the_profile() {
    let mut spec = podman(&["root", "system-call.nonesuch", "system-call.unshare"]);
    seal(&mut spec, Kind::Sealed);
    assert_eq!(broken(&spec), [""; 0]);
    assert!(seal(&mut spec, Kind::Sealed).is_empty());
}

#[test]
fn a_profile_that_is_narrow_enough_stays() {
    let mut spec = podman(&["root"]);
    let own = seccomp::opt_server().to_oci();
    spec.linux_mut()
        .as_mut()
        .unwrap()
        .set_seccomp(Some(own.clone()));
    seal(&mut spec, Kind::Sealed);
    assert_eq!(*spec.linux().as_ref().unwrap().seccomp(), Some(own));
}

/// Hooks are programs that root runs: another engine's are that engine's, a container of ours has none.
#[test]
fn a_shifter_container_has_no_hooks_and_shares_the_hosts_network() {
    let mut spec = Spec::default();
    let mut linux = Linux::default();
    linux.set_namespaces(None);
    spec.set_linux(Some(linux))
        .set_hooks(Some(Hooks::default()));
    let is_broken = |spec: &Spec, kind| check(spec, kind).summary().contains("hooks");
    assert!(!is_broken(&spec, Kind::Sealed));
    assert!(is_broken(&spec, Kind::Shifter));
    let changes = seal(&mut spec, Kind::Shifter);
    assert!(changes.contains(&"hooks removed".to_owned()), "{changes:?}");
    assert!(!is_broken(&spec, Kind::Shifter));
    assert_eq!(Kind::of(&spec).unwrap(), Some(Kind::Shifter));
    let namespaces = spec.linux().as_ref().unwrap().namespaces().clone().unwrap();
    assert!(
        namespaces
            .iter()
            .all(|namespace| namespace.typ() != LinuxNamespaceType::Network)
    );
}
