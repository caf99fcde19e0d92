//! "Copy Fail": a socket of the kernel's crypto interface writes to the page cache of files that are mounted read-only,
//! and a sealed bundle mounts the host's programs so. No such socket is to be had, by any number of the call.

use integration::{Bench, Probe, skip};
use serde_json::Value;

/// AF_ALG and its neighbours that Docker's default let pass, by socket(2), and AF_VSOCK.
const FAMILIES: [(usize, &str); 4] = [
    (38, "AF_ALG"),
    (40, "AF_VSOCK"),
    (17, "AF_PACKET"),
    (16, "AF_NETLINK"),
];

fn words() -> Vec<String> {
    let mut words = vec!["calls".to_owned()];
    for (family, _) in FAMILIES {
        // With and without the upper half, SOCK_SEQPACKET, SOCK_RAW.
        for kind in [5, 3] {
            words.push(format!("64:{}:{family}:{kind}:0", libc::SYS_socket));
            words.push(format!(
                "64:{}:{}:{kind}:0",
                libc::SYS_socket,
                family | 1 << 40
            ));
            words.push(format!("64:{}:{family}:{kind}:0:0", libc::SYS_socketpair));
        }
    }
    // socketcall(SYS_SOCKET, …), whose arguments no filter sees, of the 32-bit architecture, and x32's socket.
    words.push("32:102:1".to_owned());
    words.push(format!("64:{}:38:5:0", 0x4000_0000 + libc::SYS_socket));
    words
}

fn outcomes(report: &Value) -> Vec<(String, String)> {
    let calls = report.as_object().expect("calls").iter();
    let calls = calls.map(|(call, outcome)| {
        (
            call.clone(),
            outcome.as_str().expect("an outcome").to_owned(),
        )
    });
    calls.collect()
}

#[test]
fn no_call_gives_a_sealed_command_a_crypto_socket() {
    let bench = Bench::new();
    let words = words();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let bundle = bench.sealed("sealed", &Probe::on(&bench).command(), &words);
    let refusals = [
        "EAFNOSUPPORT",
        "EPERM",
        "ENOSYS",
        "killed by SIGSYS",
        "killed by SIGSEGV",
    ];
    for (call, outcome) in outcomes(&Probe::report(&bundle.run(&bench).run())) {
        assert!(refusals.contains(&outcome.as_str()), "{call}: {outcome}");
    }
    bundle
        .without_promise()
        .edit(|spec| spec["linux"]["seccomp"] = Value::Null);
    let weak = outcomes(&Probe::report(&bundle.run(&bench).run()));
    let netlink = format!("64:{}:16:3:0", libc::SYS_socket);
    let control = weak
        .iter()
        .find(|(call, _)| *call == netlink)
        .expect("it was made");
    assert!(
        control.1.starts_with("ok"),
        "without the filter: {control:?}"
    );
    let crypto = format!("64:{}:38:5:0", libc::SYS_socket);
    if weak
        .iter()
        .any(|(call, outcome)| *call == crypto && !outcome.starts_with("ok"))
    {
        skip("this kernel has no crypto sockets: the control is a netlink socket");
    }
}
