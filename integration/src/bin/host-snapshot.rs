//! Prints what of ours is on the host; `hack/test` keeps it for `tests/nothing_left.rs`.

fn main() {
    for line in integration::host::snapshot() {
        println!("{line}");
    }
}
