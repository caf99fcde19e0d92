//! Terminals: of `run` and `exec` before a user's own, and of engines over a socket.

mod callers;
mod console_socket;
mod engine;
mod hostile;

use std::time::Duration;

use integration::terminal::Terminal;
use integration::{Bench, Bundle, Runtime, Session, Tool, plain};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(10);

/// The control first.
const BOTH: [Runtime; 2] = [Runtime::Runc, Runtime::Ours];

/// A bundle with a devpts, whose command is a shell in a terminal.
fn bundle(bench: &Bench, name: &str) -> Bundle {
    let bundle = plain::bundle(bench, name, &["sh"]);
    bundle.edit(|spec| {
        spec["process"]["terminal"] = json!(true);
        spec["process"]["env"] = json!(["PATH=/bin", "PS1=prompt> "]);
        with_devpts(spec);
    });
    bundle
}

fn with_devpts(spec: &mut Value) {
    let mounts = spec["mounts"].as_array_mut().expect("mounts");
    mounts.push(json!({
        "destination": "/dev/pts", "type": "devpts", "source": "devpts",
        "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
    }));
}

/// A bundle without a terminal whose first process stays, for `exec`.
fn waiting(bench: &Bench, name: &str) -> Bundle {
    let bundle = bundle(bench, name);
    bundle.edit(|spec| {
        spec["process"]["terminal"] = json!(false);
        spec["process"]["args"] = json!(["sh", "-c", "while :; do sleep 1; done"]);
    });
    bundle
}

fn own_id(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

fn run(bench: &Bench, bundle: &Bundle, id: &str) -> Tool {
    run_by(Runtime::Ours, bench, bundle, id)
}

fn run_by(runtime: Runtime, bench: &Bench, bundle: &Bundle, id: &str) -> Tool {
    let tool = runtime.tool(bench).args(["run", "--bundle"]);
    tool.arg(&bundle.directory).arg(own_id(id))
}

/// Starts `tool` in a new terminal; gives the modes that such a one has as well.
fn start(tool: Tool) -> (Session, String) {
    let fresh = Terminal::open();
    let before = nix::sys::termios::tcgetattr(fresh.slave()).expect("modes");
    (Session::start(tool, 33, 111), format!("{before:?}"))
}
