//! `linux.resources.blockIO`, on a real device.

use integration::{Bench, Tool, cgroup};
use serde_json::json;

use super::limit::{Held, Refused, kernel_has, limit, refused};
use crate::harness::{Case, ensure, hold};

/// The number of loop devices.
const MAJOR: u32 = 7;

/// A loop device on a file of two megabytes, gone when dropped: not every host lets its disks be opened.
struct Loop {
    path: String,
    minor: u32,
    _file: Bench,
}

impl Loop {
    fn new() -> Self {
        let bench = Bench::new();
        let file = bench.file("disk", vec![1; 2 << 20]);
        let attached = Tool::new("losetup")
            .args(["--find", "--show"])
            .arg(file)
            .expect(0);
        let path = attached.stdout.trim().to_owned();
        let minor = path
            .trim_start_matches("/dev/loop")
            .parse()
            .expect("a number");
        Self {
            path,
            minor,
            _file: bench,
        }
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Tool::new("losetup").args(["--detach", &self.path]).run();
    }
}

/// One rate in `key`, and the line in which the kernel holds it.
fn throttle(
    name: &'static str,
    key: &'static str,
    v1_file: &'static str,
    v2_word: &'static str,
) -> Case {
    const RATE: u64 = 1 << 20;
    Case::steps(name, move |stage| {
        let device = Loop::new();
        let rate = json!({ "major": MAJOR, "minor": device.minor, "rate": RATE });
        stage.edit(|spec| spec["linux"]["resources"] = json!({ "blockIO": { key: [rate] } }));
        stage.create()?;
        let file = if cgroup::is_v2() { "io.max" } else { v1_file };
        let controller = if cgroup::is_v2() { "io" } else { "blkio" };
        let held = cgroup::read(stage.pid()?, controller, file).unwrap_or_default();
        let numbers = format!("{MAJOR}:{} ", device.minor);
        let line = held
            .lines()
            .find(|line| line.starts_with(&numbers))
            .unwrap_or_default();
        let rate = if cgroup::is_v2() {
            format!("{v2_word}={RATE}")
        } else {
            RATE.to_string()
        };
        ensure!(
            line.split(' ').any(|word| word == rate),
            "{file} says {held:?}"
        );
        Ok(())
    })
}

#[test]
fn throttled() {
    hold(&[
        throttle(
            "bytes read",
            "throttleReadBpsDevice",
            "blkio.throttle.read_bps_device",
            "rbps",
        ),
        throttle(
            "bytes written",
            "throttleWriteBpsDevice",
            "blkio.throttle.write_bps_device",
            "wbps",
        ),
        throttle(
            "reads",
            "throttleReadIOPSDevice",
            "blkio.throttle.read_iops_device",
            "riops",
        ),
        throttle(
            "writes",
            "throttleWriteIOPSDevice",
            "blkio.throttle.write_iops_device",
            "wiops",
        ),
    ]);
}

/// Two megabytes straight from the device, of which one may be read in a second.
#[test]
fn a_throttled_command_waits() {
    let device = Loop::new();
    let minor = device.minor;
    let script = format!(
        "mknod /dev/disk b {MAJOR} {minor}; read before _ < /proc/uptime; \
         dd if=/dev/disk of=/dev/null bs=64k count=32 iflag=direct 2>&1 | grep -v records; \
         read after _ < /proc/uptime; echo $before $after"
    );
    hold(&[Case::new("reading takes its time")
        .spec(move |spec| {
            spec["process"]["args"] = json!(["sh", "-c", script]);
            spec["process"]["capabilities"] = json!({
                "bounding": ["CAP_MKNOD"], "effective": ["CAP_MKNOD"], "permitted": ["CAP_MKNOD"],
            });
            spec["linux"]["resources"] = json!({
                "devices": [{ "allow": true, "type": "b", "major": MAJOR, "minor": minor, "access": "r" }],
                "blockIO": {
                    "throttleReadBpsDevice": [{ "major": MAJOR, "minor": minor, "rate": 1 << 20 }],
                },
            });
        })
        .check(|_, outcome| {
            let words = outcome.stdout.split_whitespace().rev();
            let times: Vec<f64> = words.take(2).filter_map(|word| word.parse().ok()).collect();
            let [after, before] = times[..] else {
                return Err(format!("{outcome}"));
            };
            let took = after - before;
            match took < 1.0 {
                true => Err(format!("2 MiB within {took} s: {outcome}")),
                false => Ok(()),
            }
        })]);
}

#[test]
fn weights() {
    // The scheduler bfq has the files of version 1; it may be there or not.
    let has_v1 = ["blkio.bfq.weight", "blkio.weight"]
        .iter()
        .any(|file| kernel_has("blkio", file));
    let v1 = match has_v1 {
        true => Held(&[("blkio", "blkio.bfq.weight", "300")]),
        false => Refused("blockIO.weight"),
    };
    let v2 = match (
        kernel_has("io", "io.bfq.weight"),
        kernel_has("io", "io.weight"),
    ) {
        (true, _) => Held(&[("io", "io.bfq.weight", "default 300")]),
        (false, true) => Held(&[("io", "io.weight", "default 2930")]),
        (false, false) => Refused("blockIO.weight"),
    };
    hold(&[
        limit(
            "a weight",
            "blockIO.weight",
            json!({ "blockIO": { "weight": 300 } }),
            v1,
            v2,
        )
        .but_crun_if(!cgroup::is_v2(), "it knows no scheduler but cfq"),
        limit(
            "a leaf's weight",
            "blockIO.leafWeight",
            json!({ "blockIO": { "leafWeight": 300 } }),
            Held(&[("blkio", "blkio.leaf_weight", "300")]),
            Refused("blockIO.leafWeight"),
        ),
    ]);
}

#[test]
fn devices_that_are_none() {
    let throttled =
        |key: &str| json!({ "blockIO": { key: [{ "major": 4095, "minor": 7, "rate": 1000 }] } });
    hold(&[
        refused(
            "bytes read",
            "throttleReadBpsDevice",
            throttled("throttleReadBpsDevice"),
        ),
        refused(
            "bytes written",
            "throttleWriteBpsDevice",
            throttled("throttleWriteBpsDevice"),
        ),
        refused(
            "reads",
            "throttleReadIOPSDevice",
            throttled("throttleReadIOPSDevice"),
        ),
        refused(
            "writes",
            "throttleWriteIOPSDevice",
            throttled("throttleWriteIOPSDevice"),
        ),
        refused(
            "a weight",
            "blockIO.weightDevice",
            json!({ "blockIO": { "weightDevice": [{ "major": 4095, "minor": 7, "weight": 300 }] } }),
        ),
    ]);
}
