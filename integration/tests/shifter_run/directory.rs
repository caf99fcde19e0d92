//! Users whom only a directory service knows, such as LDAP: getent(1) asks it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use integration::Tool;

use crate::site::Site;

/// Knows Ann, who is in two groups, unless root asks.
const GETENT: &str = "#!/bin/sh
test \"$(id -u)\" != 0 || exit 9
case \"$1 $2\" in
    'passwd ann' | 'passwd 1234') echo 'ann:x:1234:1234:Ann:/home/ann:/bin/zsh' ;;
    'initgroups ann') echo 'ann                  1234 50 77' ;;
    'group '*) echo 'theirs:x:77:' ;;
    *) exit 2 ;;
esac
";

/// `tool` on a host where that is what the name service knows.
fn with_service(site: &Site, tool: Tool) -> Tool {
    let program = site.file("getent", GETENT);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("chmod");
    tool.after(&format!(
        "mount --bind '{}' /usr/bin/getent",
        program.display()
    ))
}

#[test]
fn a_user_of_a_directory_service_is_found_with_their_groups() {
    let site = Site::new("allowLibcPwdCalls=1");
    let tool = site.tool("", "ann");
    let script = "id -u; id -g; grep ^Groups /proc/self/status; echo $USER $HOME $SHELL";
    let tool = tool.args(["--image=plain", "sh", "-c", script]);
    let outcome = with_service(&site, tool).expect(0);
    site.assert_nothing_left(&outcome);
    outcome
        .says("1234\n1234\n")
        .says("Groups:\t50 77 1234")
        .says("ann /home/ann /bin/zsh\n");
    let tool = site.tool("", "bob").args(["--image=plain", "true"]);
    let outcome = with_service(&site, tool).expect(125);
    let line = outcome.one_line();
    assert!(
        line.contains("--user bob: neither getent nor /etc/passwd"),
        "{line}"
    );
}

#[test]
fn accounts_that_are_made_know_them() {
    let site = Site::new("populateEtcDynamically=1");
    let tool = site
        .tool("", "ann")
        .args(["--image=plain", "cat", "/etc/passwd", "/etc/group"]);
    let outcome = with_service(&site, tool).expect(0);
    outcome
        .says("ann:x:1234:1234:Ann:/home/ann:/bin/zsh\n")
        .says("theirs:x:77:ann\n");
}
