//! An sshd of the user's own in a container, which a module brings: Debian's, with Debian's ssh.

use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use integration::{Outcome, Tool, require_program, wait_until};
use nix::sys::signal::Signal;

use crate::site::{SOON, Site};

/// Shifter's.
const PORT: u16 = 1204;

/// A loopback address that no other test has, nor another process of tests.
pub fn address() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("127.{}.{high}.{low}", 100 + count)
}

/// What the site says of it: each node has the name of its address.
pub const LINES: &str = "siteFs=/usr:/usr\nmodule_ssh_sshd=/usr/sbin/sshd\nmodule_ssh_sshdListen=%n\n\
                         module_ssh_siteEnv=MODULE=ssh\ndefaultModules=ssh";

/// Adds the image `debian`, with the programs of this host's.
pub fn add_image(site: &Site) {
    require_program("/usr/sbin/sshd", "openssh-server");
    require_program("/usr/bin/ssh", "openssh-client");
    site.bench.directory("images/debian./usr");
    for name in ["bin", "lib", "lib64", "sbin"] {
        symlink(
            format!("usr/{name}"),
            site.path("images/debian.").join(name),
        )
        .expect("a link");
    }
    site.describe("debian", "FORMAT: VFS\nENV: PATH=/usr/bin:/bin\n");
    // sshd gives terminals to this group, where there is one.
    site.file("etc/group", "root:x:0:\ntty:x:5:\nuser:x:1234:\n");
}

fn site() -> Site {
    let site = Site::new(LINES);
    add_image(&site);
    site
}

/// `shifter` for the user on the node of this name.
fn on(site: &Site, node: &str) -> Tool {
    let tool = site.tool("", "1234:1234").arg("--image=debian");
    tool.env("SLURMD_NODENAME", node)
}

pub fn nobody_listens(node: &str) {
    wait_until("nobody listens any more", SOON, || {
        let address = format!("{node}:{PORT}").parse().expect("an address");
        TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err()
    });
}

/// Looks around in a session, as the user, and at what else one can't have.
pub fn look_around(node: &str) -> String {
    format!(
        "ssh {node} 'id -u; echo $MODULE $PATH; grep -E \"^(CapEff|CapBnd|NoNewPrivs|Seccomp):\" /proc/self/status'\n\
         ssh -tt {node} 'test -t 0 && echo terminal'\n\
         echo @ls -1 /etc/udiImage/sshd_config | sftp -q -b - {node}\n\
         ssh {node} 'exit 7'; echo code $?\n\
         ssh -o ExitOnForwardFailure=yes -R 127.0.0.1:0:127.0.0.1:1 {node} echo FORWARDED || echo no forwarding\n\
         ssh -l root {node} echo ROOT || echo no root\n\
         ssh -o PreferredAuthentications=password {node} echo PASSWORD </dev/null || echo no password\n\
         ssh -F /dev/null -o IdentityFile=/etc/udiImage/ssh/host_key -o StrictHostKeyChecking=no \
             -o UserKnownHostsFile=/dev/null -p 1204 {node} echo OTHER KEY || echo no other key\n\
         ssh -o HostKeyAlias=another {node} echo ANOTHER || echo no other host\n\
         touch /etc/udiImage/ssh/x || echo no new key\n\
         ls -ld /etc/udiImage/ssh"
    )
}

pub const FOUND: &str = "1234\nssh /usr/bin:/bin\nCapBnd:\t0000000000000000\nCapEff:\t0000000000000000\n\
                         NoNewPrivs:\t1\nSeccomp:\t2\nterminal\r\n/etc/udiImage/sshd_config\ncode 7\nno forwarding\n\
                         no root\nno password\nno other key\nno other host\nno new key\n";

#[track_caller]
pub fn assert_found(outcome: &Outcome) {
    let sorted = outcome.stdout.replace(
        "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n",
        "CapBnd:\t0000000000000000\nCapEff:\t0000000000000000\n",
    );
    assert!(
        sorted.contains(FOUND) || sorted.replace("ls -1", "").contains(FOUND),
        "{outcome}"
    );
    let last = outcome.stdout.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("dr") || last.starts_with("drwx------"),
        "{outcome}"
    );
}

#[test]
fn a_user_gets_into_a_container_by_ssh_with_no_more_rights_than_its_command() {
    let site = site();
    let node = address();
    let outcome = on(&site, &node)
        .args(["sh", "-c", &look_around(&node)])
        .expect(0);
    assert_found(&outcome);
    nobody_listens(&node);
    site.assert_nothing_left(&outcome);
}

/// The user's own words lead to no other module and to no key that is more than a key.
#[test]
fn a_key_that_is_named_is_let_in_and_ends_with_the_container() {
    let site = site();
    let node = address();
    let key = site.path("key");
    let key = key.to_str().expect("a path");
    Tool::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f", key])
        .expect(0);
    let public = std::fs::read_to_string(format!("{key}.pub")).expect("a key");
    let mut running = on(&site, &node)
        .env("SHIFTER_SSH_PUBKEY", &public)
        .args(["sh", "-c", "echo ready; sleep 1000"])
        .start();
    running.wait_for("ready");
    let ssh = |command: &str| {
        Tool::new("ssh")
            .args(["-F", "/dev/null", "-i", key, "-p", "1204", "-l", "user"])
            .args(["-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"])
            .args([
                "-o",
                "StrictHostKeyChecking=no",
                "-o",
                "UserKnownHostsFile=/dev/null",
            ])
            .args([&node, command])
    };
    let outcome = ssh("id -u; echo $SHIFTER_IMAGE").expect(0);
    assert_eq!(outcome.stdout, "1234\ndebian\n", "{outcome}");
    // A session, and what it leaves running, goes with the container.
    let mut session = ssh("sleep 1000 & echo in; sleep 1000").start();
    session.wait_for("in");
    let taken = on(&site, &node).args(["echo", "went on"]).expect(0);
    assert_eq!(taken.stdout, "went on\n", "{taken}");
    let line = taken.one_line();
    assert!(line.contains("port 1204 of the node is in use"), "{line}");
    running.signal(Signal::SIGKILL as i32);
    let outcome = running.finish();
    session.finish();
    nobody_listens(&node);
    wait_until("its state is gone", SOON, || {
        site.bench.state_names().is_empty()
    });
    site.assert_nothing_left(&outcome);
}

#[test]
fn what_can_not_be_is_refused_in_a_line_and_explained_before() {
    let site = site();
    let node = address();
    let outcome = on(&site, &node)
        .env("SHIFTER_SSH_PUBKEY", "command=\"id\" ssh-ed25519 AAAA")
        .arg("true")
        .expect(125);
    let line = outcome.one_line();
    assert!(line.contains("is no public key"), "{line}");
    site.assert_nothing_left(&outcome);
    let explained = site
        .tool("explain", "1234:1234")
        .args(["--image=debian", "true"])
        .expect(0);
    explained
        .says("before it: /bin/sh /etc/udiImage/start-sshd, as the same user\n")
        .says("why: keys of the user's sshd, which lets in only its own job\n");
    site.configure(&LINES.replace("/usr/sbin/sshd", "/usr/sbin/nosuch"));
    let outcome = on(&site, &node).arg("true").expect(125);
    assert!(
        outcome.stderr.contains("start-sshd: exit status 1"),
        "{outcome}"
    );
    site.assert_nothing_left(&outcome);
    for (lines, says) in [
        ("module_a_sshd=sshd", "must be an absolute path"),
        (
            "module_a_sshdPort=22",
            "must be a port from 1024 to 65535, not \"22\"",
        ),
        ("module_a_sshdListen=a b", "must be an address or a name"),
        (
            "module_a_sshd=/a\nmodule_b_sshd=/b\ndefaultModules=a,b",
            "exclude each other",
        ),
    ] {
        site.configure(lines);
        let outcome = on(&site, &node).arg("true").expect(125);
        let line = outcome.one_line();
        assert!(line.contains(says), "{line}");
    }
}
