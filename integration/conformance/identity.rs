//! Who the process is and what it may do: users, groups, capabilities.

use serde_json::json;

use crate::harness::{Case, hold};

#[test]
fn identity() {
    let user = |name, user: serde_json::Value| {
        Case::new(name).spec(move |spec| spec["process"]["user"] = user.clone())
    };
    hold(&[
        Case::new("uid and gid")
            .spec(|spec| spec["process"]["user"] = json!({ "uid": 1000, "gid": 1001 }))
            .script("id -u; id -g; grep -E '^(Uid|Gid):' /proc/self/status | tr -s '\\t' ' '")
            .prints("1000\n1001\nUid: 1000 1000 1000 1000\nGid: 1001 1001 1001 1001"),
        Case::new("additional groups")
            .spec(|spec| {
                spec["process"]["user"] = json!({ "uid": 0, "gid": 0, "additionalGids": [5, 6] })
            })
            .script("grep Groups: /proc/self/status | tr -s '\\t' ' '")
            .prints("Groups: 5 6"),
        // T2
        Case::new("none of the caller's groups")
            .script("grep Groups: /proc/self/status | tr -d ' \\t'")
            .prints("Groups:"),
        Case::new("umask")
            .spec(|spec| spec["process"]["user"]["umask"] = json!(0o027))
            .script("umask; grep Umask /proc/self/status | tr -s '\\t' ' '")
            .prints("0027\nUmask: 0027"),
        Case::new("without one it is 022")
            .script("umask")
            .prints("0022"),
        Case::new("many additional groups")
            .spec(|spec| {
                let many: Vec<u32> = (100..140).collect();
                spec["process"]["user"] =
                    json!({ "uid": 1000, "gid": 1000, "additionalGids": many });
            })
            .script("grep Groups: /proc/self/status | wc -w")
            .prints("41"),
        user("a uid as text is refused", json!({ "uid": "0", "gid": 0 }))
            .refused("config.json")
            .but_crun("it takes it"),
        user("a negative uid is refused", json!({ "uid": -1, "gid": 0 })).refused("config.json"),
        user(
            "one that is too large is refused",
            json!({ "uid": 4_294_967_296_u64, "gid": 0 }),
        )
        .refused("config.json"),
        // setuid(2) takes it for no change.
        user(
            "the one that means none is refused",
            json!({ "uid": 4_294_967_295_u64, "gid": 0 }),
        )
        .refused("uid")
        .but_crun("it stays root"),
        user(
            "a name is for another system, and no uid",
            json!({ "username": "root" }),
        )
        .refused("username")
        .but_runc("it takes it for root")
        .but_crun("it takes it for root"),
        Case::new("noNewPrivileges")
            .spec(|spec| spec["process"]["noNewPrivileges"] = json!(true))
            .script("grep NoNewPrivs /proc/self/status | tr -s '\\t' ' '")
            .prints("NoNewPrivs: 1"),
        Case::new("noNewPrivileges false")
            .spec(|spec| spec["process"]["noNewPrivileges"] = json!(false))
            .script("grep NoNewPrivs /proc/self/status | tr -s '\\t' ' '")
            .prints("NoNewPrivs: 0"),
    ]);
}

const MASKS: &str =
    "grep ^Cap /proc/self/status | tr -s '\\t' ' ' | sed 's/: 0*\\([0-9a-f]\\)/ \\1/'";

#[test]
fn capabilities() {
    let caps = |name, uid: u32, sets: serde_json::Value, prints| {
        Case::new(name)
            .spec(move |spec| {
                spec["process"]["user"] = json!({ "uid": uid, "gid": uid });
                spec["process"]["capabilities"] = sets.clone();
            })
            .script(MASKS)
            .prints(prints)
    };
    let all = |list: &[&str]| json!({ "bounding": list, "effective": list, "permitted": list, "inheritable": list, "ambient": list });
    hold(&[
        // T1
        Case::new("absent means none")
            .script(MASKS)
            .prints("CapInh 0\nCapPrm 0\nCapEff 0\nCapBnd 0\nCapAmb 0"),
        caps(
            "empty sets",
            0,
            all(&[]),
            "CapInh 0\nCapPrm 0\nCapEff 0\nCapBnd 0\nCapAmb 0",
        ),
        caps(
            "all five, as root",
            0,
            all(&["CAP_CHOWN"]),
            "CapInh 1\nCapPrm 1\nCapEff 1\nCapBnd 1\nCapAmb 1",
        ),
        caps(
            "all five, as another user",
            1000,
            all(&["CAP_CHOWN"]),
            "CapInh 1\nCapPrm 1\nCapEff 1\nCapBnd 1\nCapAmb 1",
        ),
        caps(
            "without ambient ones a user has none",
            1000,
            json!({ "bounding": ["CAP_CHOWN"], "effective": ["CAP_CHOWN"], "permitted": ["CAP_CHOWN"] }),
            "CapInh 0\nCapPrm 0\nCapEff 0\nCapBnd 1\nCapAmb 0",
        ),
        caps(
            "the bounding set alone",
            0,
            json!({ "bounding": ["CAP_CHOWN", "CAP_KILL"] }),
            "CapInh 0\nCapPrm 21\nCapEff 21\nCapBnd 21\nCapAmb 0",
        ),
        caps(
            "the inheritable set alone",
            0,
            json!({ "bounding": ["CAP_CHOWN"], "inheritable": ["CAP_CHOWN"] }),
            "CapInh 1\nCapPrm 1\nCapEff 1\nCapBnd 1\nCapAmb 0",
        ),
        caps(
            "permitted and inheritable, of a user",
            1000,
            json!({ "bounding": ["CAP_CHOWN"], "inheritable": ["CAP_CHOWN"], "permitted": ["CAP_CHOWN"] }),
            "CapInh 1\nCapPrm 0\nCapEff 0\nCapBnd 1\nCapAmb 0",
        ),
        caps(
            "some ambient ones of several",
            1000,
            json!({
                "bounding": ["CAP_CHOWN", "CAP_KILL"], "inheritable": ["CAP_CHOWN", "CAP_KILL"],
                "permitted": ["CAP_CHOWN", "CAP_KILL"], "effective": ["CAP_CHOWN"], "ambient": ["CAP_KILL"],
            }),
            "CapInh 21\nCapPrm 20\nCapEff 20\nCapBnd 21\nCapAmb 20",
        ),
        // C8, T10
        caps(
            "one that nobody knows is passed over",
            0,
            json!({ "bounding": ["CAP_CHOWN", "CAP_FOO"] }),
            "CapInh 0\nCapPrm 1\nCapEff 1\nCapBnd 1\nCapAmb 0",
        ),
    ]);
}
