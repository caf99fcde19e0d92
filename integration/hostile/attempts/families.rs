//! Large interfaces, each by several of its ways in: socket families, file systems, bpf, perf, userfaultfd, io_uring.

use std::ffi::CString;

use super::{Named, named, outcome};
use crate::calls::call;

const CWD: usize = libc::AT_FDCWD as usize;

const SOCKETS: [&str; 46] = [
    "unspec",
    "unix",
    "inet",
    "ax25",
    "ipx",
    "appletalk",
    "netrom",
    "bridge",
    "atmpvc",
    "x25",
    "inet6",
    "rose",
    "decnet",
    "netbeui",
    "security",
    "key",
    "netlink",
    "packet",
    "ash",
    "econet",
    "atmsvc",
    "rds",
    "sna",
    "irda",
    "pppox",
    "wanpipe",
    "llc",
    "ib",
    "mpls",
    "can",
    "tipc",
    "bluetooth",
    "iucv",
    "rxrpc",
    "isdn",
    "phonet",
    "ieee802154",
    "caif",
    "alg",
    "nfc",
    "vsock",
    "kcm",
    "qipcrtr",
    "smc",
    "xdp",
    "mctp",
];

/// A socket of each family; of unix ones there is an attempt elsewhere.
pub fn socket_families() -> Vec<Named> {
    const KINDS: [(usize, &str); 3] = [(2, "datagram"), (3, "raw"), (5, "packets in order")];
    let mut attempts = vec![];
    for (family, name) in SOCKETS
        .iter()
        .enumerate()
        .filter(|(_, name)| **name != "unix")
    {
        for (kind, shown) in KINDS {
            attempts.push(named(format!("socket family {name}, {shown}"), move || {
                outcome(call(libc::SYS_socket, &[family, kind, 0]))
            }));
        }
    }
    for (family, name) in [(2, "inet"), (16, "netlink"), (38, "alg"), (40, "vsock")] {
        attempts.push(named(format!("socketpair family {name}"), move || {
            let mut pair = [0_i32; 2];
            outcome(call(
                libc::SYS_socketpair,
                &[family, 1, 0, pair.as_mut_ptr().addr()],
            ))
        }));
    }
    attempts
}

const FILE_SYSTEMS: [&str; 32] = [
    "tmpfs",
    "ramfs",
    "proc",
    "sysfs",
    "devpts",
    "devtmpfs",
    "mqueue",
    "cgroup",
    "cgroup2",
    "debugfs",
    "tracefs",
    "securityfs",
    "bpf",
    "pstore",
    "efivarfs",
    "configfs",
    "hugetlbfs",
    "binfmt_misc",
    "overlay",
    "fuse",
    "fuseblk",
    "autofs",
    "nfs",
    "nfs4",
    "9p",
    "virtiofs",
    "ext4",
    "xfs",
    "squashfs",
    "erofs",
    "iso9660",
    "rpc_pipefs",
];

/// A mount of each file system by the old call and by the new ones, and each way to change a mount.
pub fn mount_kinds() -> Vec<Named> {
    let text = |text: &'static std::ffi::CStr| text.as_ptr().addr();
    let mut attempts = vec![];
    for name in FILE_SYSTEMS {
        let kind = CString::new(name).unwrap_or_default();
        let again = kind.clone();
        attempts.push(named(format!("mount a {name}"), move || {
            let none = c"none".as_ptr().addr();
            outcome(call(
                libc::SYS_mount,
                &[none, c"/tmp".as_ptr().addr(), kind.as_ptr().addr(), 0, 0],
            ))
        }));
        attempts.push(named(format!("fsopen a {name}"), move || {
            outcome(call(libc::SYS_fsopen, &[again.as_ptr().addr(), 0]))
        }));
    }
    let flags = [
        ("bind", libc::MS_BIND),
        ("recursive bind", libc::MS_BIND | libc::MS_REC),
        ("move", libc::MS_MOVE),
        ("remount rw", libc::MS_REMOUNT),
        (
            "remount bind rw, suid, dev",
            libc::MS_REMOUNT | libc::MS_BIND,
        ),
        ("make shared", libc::MS_SHARED),
        ("make recursively shared", libc::MS_SHARED | libc::MS_REC),
        ("make slave", libc::MS_SLAVE),
        ("make private", libc::MS_PRIVATE),
        ("make unbindable", libc::MS_UNBINDABLE),
    ];
    for (name, flags) in flags {
        for place in [c"/", c"/proc", c"/tmp"] {
            let shown = place.to_string_lossy();
            attempts.push(named(format!("mount: {name} on {shown}"), move || {
                outcome(call(
                    libc::SYS_mount,
                    &[text(c"/tmp"), text(place), 0, flags as usize, 0],
                ))
            }));
        }
    }
    for (name, place) in [
        ("/", c"/"),
        ("/proc", c"/proc"),
        ("/proc/keys", c"/proc/keys"),
        ("/dev", c"/dev"),
        ("/tmp", c"/tmp"),
    ] {
        for (how, flags) in [
            ("lazily", 2),
            ("by force", 1),
            ("when unused", 4),
            ("at once", 0),
        ] {
            attempts.push(named(format!("umount {name} {how}"), move || {
                outcome(call(libc::SYS_umount2, &[text(place), flags]))
            }));
        }
    }
    let simple = |name: &str, number: libc::c_long, arguments: Vec<usize>| {
        named(name.to_owned(), move || outcome(call(number, &arguments)))
    };
    attempts.extend([
        simple("fsmount", libc::SYS_fsmount, vec![0, 0, 0]),
        simple("fsconfig", libc::SYS_fsconfig, vec![0, 6, 0, 0, 0]),
        simple("fspick", libc::SYS_fspick, vec![CWD, text(c"/tmp"), 0]),
        simple(
            "open_tree, a recursive copy",
            libc::SYS_open_tree,
            vec![CWD, text(c"/"), 0x8001],
        ),
        simple(
            "mount_setattr, recursively rw",
            libc::SYS_mount_setattr,
            vec![CWD, text(c"/"), 0x8000, 0, 0],
        ),
        simple("open_tree_attr", 467, vec![CWD, text(c"/"), 1, 0, 0]),
        simple("statmount", 457, vec![0, 0, 0, 0]),
        simple("listmount", 458, vec![0, 0, 0, 0]),
        simple(
            "chroot to /proc/1/root",
            libc::SYS_chroot,
            vec![text(c"/proc/1/root")],
        ),
        simple(
            "pivot_root to the working directory",
            libc::SYS_pivot_root,
            vec![text(c"."), text(c".")],
        ),
    ]);
    attempts
}

/// bpf(2), perf_event_open(2), userfaultfd(2), io_uring: each by many of its operations.
pub fn interfaces() -> Vec<Named> {
    let mut attempts = vec![];
    let operations = [
        "map create",
        "map lookup",
        "map update",
        "map delete",
        "map next key",
        "program load",
        "object pin",
        "object get",
        "program attach",
        "program detach",
        "program test",
        "next program",
        "next map",
        "program by id",
        "map by id",
        "info by descriptor",
        "program query",
        "raw tracepoint",
        "btf load",
        "btf by id",
        "task descriptor query",
        "map lookup and delete",
        "map freeze",
        "next btf",
        "map batch",
        "map batch delete",
        "map batch update",
        "map batch lookup",
        "link create",
        "link update",
        "link by id",
        "next link",
        "enable statistics",
        "iterator create",
        "link detach",
        "program bind map",
        "token create",
    ];
    for (operation, name) in operations.iter().enumerate() {
        attempts.push(named(format!("bpf: {name}"), move || {
            let attr = [0_u64; 18];
            outcome(call(
                libc::SYS_bpf,
                &[operation, attr.as_ptr().addr(), size_of_val(&attr)],
            ))
        }));
    }
    for (kind, name) in [
        "hardware",
        "software",
        "tracepoint",
        "cache",
        "raw",
        "breakpoint",
    ]
    .iter()
    .enumerate()
    {
        for (whom, process, processor) in [
            ("itself", 0, usize::MAX),
            ("the first process", 1, usize::MAX),
            ("a processor", usize::MAX, 0),
        ] {
            attempts.push(named(format!("perf: {name} events of {whom}"), move || {
                let mut attr = [0_u32; 32];
                attr[0] = u32::try_from(kind).unwrap_or(0);
                attr[1] = 128;
                let attr = attr.as_ptr().addr();
                outcome(call(
                    libc::SYS_perf_event_open,
                    &[attr, process, processor, usize::MAX, 0],
                ))
            }));
        }
    }
    for (flags, name) in [
        (0, "of everything"),
        (1, "of user faults"),
        (0o2_004_000, "without blocking"),
    ] {
        attempts.push(named(format!("userfaultfd {name}"), move || {
            outcome(call(libc::SYS_userfaultfd, &[flags]))
        }));
    }
    for (flags, name) in [
        (0, "plain"),
        (1, "polled"),
        (2, "with a kernel thread"),
        (1 << 13, "for one thread"),
    ] {
        attempts.push(named(format!("io_uring_setup {name}"), move || {
            let mut parameters = [0_u32; 30];
            parameters[2] = flags;
            outcome(call(
                libc::SYS_io_uring_setup,
                &[1, parameters.as_mut_ptr().addr()],
            ))
        }));
    }
    attempts.push(named("io_uring_enter", || {
        outcome(call(libc::SYS_io_uring_enter, &[0, 1, 0, 0, 0, 0]))
    }));
    attempts.push(named("io_uring_register", || {
        outcome(call(libc::SYS_io_uring_register, &[0, 0, 0, 0]))
    }));
    attempts
}
