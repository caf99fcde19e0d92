//! The program's entry: see `src/sys/before_libc.rs`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("x86_64") {
        println!("cargo::rustc-link-arg-bin=opt-runtime=-Wl,--entry=opt_runtime_start_guarding");
    }
}
