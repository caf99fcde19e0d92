//! Identity and rights: ids, capabilities, what execve or a file would give.

use std::ffi::CString;
use std::fs;

use nix::errno::Errno;

use super::{Named, named, outcome};
use crate::calls::{Attempt, call};

const NEW: &std::ffi::CStr = c"attributes-by-probe";

/// Ids and capabilities.
pub fn identity() -> Vec<Named> {
    let simple = |name: &str, number: libc::c_long, arguments: &'static [usize]| {
        named(name.to_owned(), move || outcome(call(number, arguments)))
    };
    let mut attempts = vec![
        simple("setreuid 0", libc::SYS_setreuid, &[0, 0]),
        simple("setregid 0", libc::SYS_setregid, &[0, 0]),
        simple("setresgid 0", libc::SYS_setresgid, &[0, 0, 0]),
        named("setfsuid 0", || file_system_id(libc::SYS_setfsuid)),
        named("setfsgid 0", || file_system_id(libc::SYS_setfsgid)),
        simple("setuid 2", libc::SYS_setuid, &[2]),
        simple("setgid 2", libc::SYS_setgid, &[2]),
        named("setgroups of many", || {
            let groups: Vec<u32> = (0..40).collect();
            outcome(call(
                libc::SYS_setgroups,
                &[groups.len(), groups.as_ptr().addr()],
            ))
        }),
        named("setgroups none", || match nix::unistd::getgroups() {
            Ok(groups) if groups.is_empty() => Err(Errno::ENODATA),
            _ => outcome(call(libc::SYS_setgroups, &[0, 0])),
        }),
        simple(
            "lift no_new_privs",
            libc::SYS_prctl,
            &[libc::PR_SET_NO_NEW_PRIVS as usize, 0, 0, 0, 0],
        ),
        simple(
            "set securebits",
            libc::SYS_prctl,
            &[libc::PR_SET_SECUREBITS as usize, 0x2f, 0, 0, 0],
        ),
        named("take all capabilities", || {
            // struct __user_cap_header_struct of version 3, and two of __user_cap_data_struct.
            let header = [0x2008_0522_u32, 0];
            let data = [u32::MAX; 6];
            outcome(call(
                libc::SYS_capset,
                &[header.as_ptr().addr(), data.as_ptr().addr()],
            ))
        }),
        named("execute as another by a setuid copy", set_id_copy),
        named("a file capability by setxattr", || {
            let value = [1_u32.to_le() | 0x0200_0000, 0xff, 0xff, 0, 0];
            attribute(
                "security.capability",
                value.as_ptr().addr(),
                size_of_val(&value),
            )
        }),
    ];
    for name in [
        "trusted.probe",
        "security.selinux",
        "security.apparmor",
        "security.ima",
        "system.posix_acl_default",
        "btrfs.compression",
    ] {
        attempts.push(named(format!("setxattr {name}"), move || {
            attribute(name, c"x".as_ptr().addr(), 1)
        }));
    }
    for capability in 0..41_usize {
        attempts.push(named(
            format!("raise ambient capability {capability}"),
            move || {
                outcome(call(
                    libc::SYS_prctl,
                    &[libc::PR_CAP_AMBIENT as usize, 2, capability, 0, 0],
                ))
            },
        ));
    }
    attempts
}

/// These give the id that was, and never fail: asked twice, it tells.
fn file_system_id(number: libc::c_long) -> Attempt {
    let before = call(number, &[usize::MAX])?;
    call(number, &[0])?;
    let after = call(number, &[usize::MAX])?;
    if before != 0 && after == 0 {
        return Ok("is root's".to_owned());
    }
    Err(Errno::EPERM)
}

fn attribute(name: &str, value: usize, length: usize) -> Attempt {
    let path = NEW.to_string_lossy().into_owned();
    fs::write(&path, "").map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
    let name = CString::new(name).unwrap_or_default();
    outcome(call(
        libc::SYS_setxattr,
        &[NEW.as_ptr().addr(), name.as_ptr().addr(), value, length, 0],
    ))
}

/// Copies this program, gives the copy a set-id bit, and sees who it is when executed.
fn set_id_copy() -> Attempt {
    let error = |error: std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(0));
    fs::copy("/proc/self/exe", "set-id-by-probe").map_err(error)?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o6755);
    fs::set_permissions("set-id-by-probe", mode).map_err(error)?;
    Ok("has the bits".to_owned())
}

/// Keyrings: the kernel keeps them for users, not for containers.
pub fn keyrings() -> Vec<Named> {
    let text = |text: &'static std::ffi::CStr| text.as_ptr().addr();
    let special = |number: i32| number as isize as usize;
    let mut attempts = vec![];
    for kind in [
        c"user",
        c"logon",
        c"keyring",
        c"big_key",
        c"encrypted",
        c"trusted",
        c"asymmetric",
    ] {
        attempts.push(named(
            format!("add_key {}", kind.to_string_lossy()),
            move || {
                let length = if kind == c"keyring" { 0 } else { 7 };
                let payload = if length == 0 { 0 } else { text(c"payload") };
                outcome(call(
                    libc::SYS_add_key,
                    &[text(kind), text(c"probe:key"), payload, length, special(-2)],
                ))
            },
        ));
    }
    // Keyrings of the thread, the process, the session, the user, the user's session, the group.
    for ring in 1..=6 {
        attempts.push(named(format!("keyctl: get keyring -{ring}"), move || {
            outcome(call(libc::SYS_keyctl, &[0, special(-ring), 1]))
        }));
    }
    for (operation, name) in [
        (1, "join a session keyring"),
        (2, "update"),
        (3, "revoke"),
        (4, "chown"),
        (5, "setperm"),
        (6, "describe"),
        (7, "clear"),
        (8, "link"),
        (9, "unlink"),
        (10, "search"),
        (11, "read"),
        (12, "instantiate"),
        (15, "set timeout"),
        (16, "assume authority"),
        (17, "get security"),
        (18, "session to parent"),
        (21, "invalidate"),
        (22, "get persistent"),
        (29, "restrict"),
        (30, "move"),
        (31, "capabilities"),
        (32, "watch"),
    ] {
        attempts.push(named(format!("keyctl: {name}"), move || {
            outcome(call(libc::SYS_keyctl, &[operation, special(-3), 0, 0, 0]))
        }));
    }
    attempts.push(named("request_key user", move || {
        outcome(call(
            libc::SYS_request_key,
            &[text(c"user"), text(c"probe:key"), 0, 0],
        ))
    }));
    attempts
}
