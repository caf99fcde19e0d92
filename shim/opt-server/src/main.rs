//! opt-server
fn main() {}
