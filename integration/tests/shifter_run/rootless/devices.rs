//! Devices by container-device-interface specifications, here one in YAML.

use integration::Tool;

use super::Home;

/// FUSE's device, which these users have, under two names.
const SPECIFICATION: &str = "cdiVersion: 0.6.0
kind: example.org/fuse
devices:
  - name: same
    containerEdits:
      deviceNodes: [{path: /dev/fuse}]
      mounts:
        - hostPath: @/driver
          containerPath: /usr/lib/driver
          options: [ro]
      additionalGids: [50]
  - name: other
    containerEdits:
      deviceNodes: [{path: /dev/other, hostPath: /dev/fuse}]
containerEdits:
  env: [DRIVER=example]
";

fn shifter(home: &Home, groups: &str, device: &str) -> Tool {
    home.site.bench.directory("cdi");
    home.site.bench.directory("driver");
    home.site.file("driver/lib.so", "the driver's\n");
    let place = home.site.path("").display().to_string();
    let text = SPECIFICATION.replace('@', place.trim_end_matches('/'));
    home.site.file("cdi/fuse.yaml", &text);
    home.user(groups, "")
        .arg("--cdi-spec-dir")
        .arg(home.site.path("cdi"))
        .arg(format!("--device=example.org/fuse={device}"))
        .arg("--image=plain")
}

#[test]
fn a_device_of_the_hosts_is_there_under_its_own_name() {
    let home = Home::new("");
    let script = "test -c /dev/fuse && : <>/dev/fuse && echo open; cat /usr/lib/driver/lib.so; echo $DRIVER; \
                  touch /usr/lib/driver/x; grep -c ' /dev/fuse ' /proc/self/mountinfo";
    let outcome = shifter(&home, "1234,50", "same")
        .args(["sh", "-c", script])
        .expect(0);
    assert_eq!(
        outcome.stdout, "open\nthe driver's\nexample\n1\n",
        "{outcome}"
    );
    home.assert_nothing_left(&outcome);
    let without = home.script(&[], "ls /dev/fuse || exit 4");
    assert_eq!(without.code, Some(4), "{without}");
}

#[test]
fn what_only_root_could_give_is_refused_in_a_line() {
    let home = Home::new("");
    for (groups, device, says) in [
        (
            "1234",
            "same",
            "needs the group 50, which uid 1234 isn't in",
        ),
        (
            "1234,50",
            "other",
            "would be /dev/other inside; without root and in a job a device has the host's name",
        ),
    ] {
        let outcome = shifter(&home, groups, device).arg("true").expect(125);
        let line = outcome.one_line();
        assert!(line.contains(says), "{line}");
        home.assert_nothing_left(&outcome);
    }
}
