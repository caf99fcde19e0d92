//! Where the programs and models under test are.

use std::path::{Path, PathBuf};

/// `opt-runtime`, the product's.
pub fn opt_runtime() -> PathBuf {
    product("opt-runtime")
}

/// `opt-server`, the product's.
pub fn opt_server() -> PathBuf {
    product("opt-server")
}

/// `shifter`, the product's.
pub fn shifter() -> PathBuf {
    product("shifter")
}

/// `shifter-imagegw`, the product's.
pub fn shifter_imagegw() -> PathBuf {
    product("shifter-imagegw")
}

/// `containerd-shim-opt-v1`, the product's.
pub fn containerd_shim() -> PathBuf {
    product("containerd-shim-opt-v1")
}

/// `shifterimg`, the product's.
pub fn shifterimg() -> PathBuf {
    product("shifterimg")
}

/// The program that runs inside sandboxes and tells what it sees; built with the tests.
pub fn probe_path() -> PathBuf {
    existing(build_directory().join("probe"))
}

/// A file of `integration/models`.
pub fn model(name: &str) -> PathBuf {
    existing(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("models")
            .join(name),
    )
}

/// The directory of the GAMS that is `$OPT_GAMS_DIR`, or the one that `hack/test` has installed.
pub fn gams() -> PathBuf {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.deps/gams/gamspy_base");
    let directory = std::env::var_os("OPT_GAMS_DIR").map_or(installed, PathBuf::from);
    assert!(
        directory.join("gams").is_file(),
        "no GAMS in {}: pip install --no-deps --target .deps/gams gamspy_base, or set OPT_GAMS_DIR",
        directory.display()
    );
    directory.canonicalize().expect("a directory")
}

/// Fails the test in one line where a program of the machine's is missing.
pub fn require_program(path: &str, package: &str) {
    assert!(
        Path::new(path).exists(),
        "{path} is not installed: apt-get install {package}"
    );
}

fn product(name: &str) -> PathBuf {
    let directory = std::env::var_os("OPT_BIN_DIR").map_or_else(build_directory, PathBuf::from);
    existing(directory.join(name))
}

/// `target/debug`: test programs are in `deps/` below it, other programs in it.
fn build_directory() -> PathBuf {
    let own = std::env::current_exe().expect("the path of this program");
    let directory = own.parent().expect("a directory");
    if directory.ends_with("deps") {
        directory.parent().expect("a directory").to_path_buf()
    } else {
        directory.to_path_buf()
    }
}

fn existing(path: PathBuf) -> PathBuf {
    assert!(
        path.exists(),
        "{} is missing: cargo build --workspace first, or set OPT_BIN_DIR",
        path.display()
    );
    path
}
