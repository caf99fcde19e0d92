//! `linux.resources.devices`: which devices a process can really open.

use integration::cgroup;
use serde_json::{Value, json};

use crate::harness::{Case, ensure, hold};

/// Makes a node of a character device and opens it for reading and for writing. There is no such device, so
/// who may gets another error than who may not.
const TRY: &str = "
    try() {
        mknod /dev/$1-$2-$3 $1 $2 $3 || echo no node
        (: </dev/$1-$2-$3) 2>&1 | told read
        (: >/dev/$1-$2-$3) 2>&1 | told write
    }
    told() {
        read -r text
        case $text in
            *'not permitted'*) echo \"$1 no\" ;;
            *'No such device'*) echo \"$1 yes\" ;;
            *) echo \"$1 $text\" ;;
        esac
    }
";

/// A case of these rules: `script` calls `try KIND MAJOR MINOR`.
fn rules(name: &'static str, rules: Value, script: &'static str) -> Case {
    Case::new(name).spec(move |spec| {
        let all = json!(["CAP_MKNOD"]);
        spec["process"]["capabilities"] =
            json!({ "bounding": all, "effective": all, "permitted": all });
        spec["process"]["args"] = json!(["sh", "-c", format!("{TRY}{script}")]);
        spec["linux"]["resources"] = json!({ "devices": rules });
    })
}

#[test]
fn what_a_process_can_open() {
    let none = json!({ "allow": false, "access": "rwm" });
    let one = |allow: bool, access: &str| json!({ "allow": allow, "type": "c", "major": 241, "minor": 7, "access": access });
    hold(&[
        rules(
            "by itself none but the usual",
            json!([none]),
            "try c 241 7; echo x >/dev/null && echo null",
        )
        .prints("read no\nwrite no\nnull"),
        rules(
            "one that is allowed",
            json!([none, one(true, "rwm")]),
            "try c 241 7; try c 241 8",
        )
        .prints("read yes\nwrite yes\nread no\nwrite no"),
        rules(
            "reading alone",
            json!([none, one(true, "r")]),
            "try c 241 7",
        )
        .prints("read yes\nwrite no"),
        rules(
            "writing alone",
            json!([none, one(true, "w")]),
            "try c 241 7",
        )
        .prints("read no\nwrite yes"),
        rules(
            "any minor number",
            json!([none, { "allow": true, "type": "c", "major": 241, "access": "rw" }]),
            "try c 241 7; try c 241 300; try c 242 7",
        )
        .prints("read yes\nwrite yes\nread yes\nwrite yes\nread no\nwrite no"),
        rules(
            "any major number",
            json!([none, { "allow": true, "type": "c", "minor": 7, "access": "rw" }]),
            "try c 241 7; try c 242 7; try c 241 8",
        )
        .prints("read yes\nwrite yes\nread yes\nwrite yes\nread no\nwrite no"),
        rules(
            "the kind counts",
            json!([none, { "allow": true, "type": "b", "major": 241, "minor": 7, "access": "rw" }]),
            "try c 241 7; try b 241 7",
        )
        .prints("read no\nwrite no\nread yes\nwrite yes"),
        rules(
            "all",
            json!([{ "allow": true, "access": "rwm" }]),
            "try c 241 7; try b 241 7",
        )
        .prints("read yes\nwrite yes\nread yes\nwrite yes"),
        rules(
            "what is allowed first is taken back by a later rule",
            json!([none, one(true, "rw"), one(false, "rw")]),
            "try c 241 7",
        )
        .prints("read no\nwrite no"),
        rules(
            "what is denied first is given by a later rule",
            json!([one(false, "rwm"), none, one(true, "rw")]),
            "try c 241 7",
        )
        .prints("read yes\nwrite yes"),
        rules(
            "a part is taken back",
            json!([none, one(true, "rw"), one(false, "w")]),
            "try c 241 7",
        )
        .prints("read yes\nwrite no"),
        // The peers' program for version 2 looks at rules one by one, and so does the kernel's list.
        rules(
            "all but one",
            json!([{ "allow": true, "access": "rwm" }, one(false, "rwm")]),
            "mknod /dev/x c 241 7 2>/dev/null && echo made; try c 241 8",
        )
        .check(|_, outcome| {
            ensure!(outcome.stdout.contains("read yes\nwrite yes"), "{outcome}");
            Ok(())
        }),
    ]);
}

/// runtime-tools looks at this: with version 1 the kernel's list shows the bundle's rules in their order.
#[test]
fn the_list_of_version_1_has_the_order_of_the_bundle() {
    if cgroup::is_v2() {
        return cgroup::skip("version 2 has no list of devices");
    }
    hold(&[Case::steps("in order", |stage| {
        stage.edit(|spec| {
            let rule = |major: u32, access: &str| {
                json!({ "allow": true, "type": "c", "major": major, "minor": 1, "access": access })
            };
            let none = json!({ "allow": false, "access": "rwm" });
            spec["linux"]["resources"] = json!({ "devices": [none, rule(243, "rw"), rule(241, "r"), rule(242, "rwm")] });
        });
        stage.create()?;
        let list = cgroup::read(stage.pid()?, "devices", "devices.list").unwrap_or_default();
        let ours: Vec<&str> = list.lines().filter(|line| line.starts_with("c 24")).collect();
        ensure!(ours == ["c 243:1 rw", "c 241:1 r", "c 242:1 rwm"], "{list}");
        Ok(())
    })
    .but_runc("it writes its own list, sorted")]);
}

#[test]
fn rules_that_say_nothing_are_refused() {
    let of = |name, rule: Value| {
        Case::new(name)
            .spec(move |spec| spec["linux"]["resources"] = json!({ "devices": [rule.clone()] }))
            .refused("linux.resources.devices")
            .without_controls("peers take some of them for other rules")
    };
    hold(&[
        of(
            "an access that is none",
            json!({ "allow": true, "type": "c", "major": 1, "minor": 1, "access": "x" }),
        ),
        of(
            "an allowed device without an access",
            json!({ "allow": true, "type": "c", "major": 1, "minor": 1 }),
        ),
        of(
            "a number below zero",
            json!({ "allow": true, "type": "c", "major": -2, "minor": 1, "access": "r" }),
        ),
        of(
            "a pipe",
            json!({ "allow": true, "type": "p", "access": "r" }),
        ),
    ]);
}
