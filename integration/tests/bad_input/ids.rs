//! Ids that can't be, that are taken, and that nobody has.

use integration::{Bench, Container, Runtime, Tool, plain};

use super::refusal::Refusals;

/// Every command that takes an id and makes nothing, with the code of its refusals.
const COMMANDS: [(&str, i32); 13] = [
    ("state", 1),
    ("start", 1),
    ("kill", 1),
    ("delete", 1),
    ("pause", 1),
    ("resume", 1),
    ("ps", 1),
    ("events", 1),
    ("update", 1),
    ("checkpoint", 1),
    ("exec", 125),
    ("delete --force", 1),
    ("kill --all", 1),
];

fn on(tool: Tool, command: &str, id: &str) -> Tool {
    let tool = tool.args(command.split(' ')).arg(id);
    if command == "exec" {
        return tool.arg("true");
    }
    tool
}

#[test]
fn an_id_that_can_not_be_is_refused_by_every_command_and_makes_nothing() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "bundle", &["touch", "/ran"]);
    let mut refusals = Refusals::on(&bench);
    let long = "x".repeat(256);
    let longer = "x".repeat(100_000);
    let ids = [
        "",
        ".",
        "..",
        "a/b",
        "/",
        "../../etc",
        "a b",
        "a\tb",
        "a\nb",
        "\u{1b}[31m",
        "ä",
        "a:b",
        "a@b",
        "@run",
        "a%b",
        "\"",
        &long,
        &longer,
    ];
    for id in ids {
        let name = id.get(..20).unwrap_or(id);
        for command in ["create", "run"] {
            refusals.expect(
                &format!("{command} {name:?}"),
                125,
                "container ID \"",
                |tool| {
                    tool.args([command, "--bundle"])
                        .arg(&bundle.directory)
                        .arg(id)
                },
            );
        }
    }
    for id in ["", "..", "a/b", "/etc", "a\nb", &long] {
        for (command, code) in COMMANDS {
            refusals.expect(
                &format!("{command} {id:?}"),
                code,
                "\" has an invalid character or length",
                |tool| on(tool, command, id),
            );
        }
    }
    refusals.end();
    assert!(!bundle.rootfs().join("ran").exists());
}

#[test]
fn the_longest_id_is_one() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "bundle", &["true"]);
    let id = format!("{}_+-.", "x".repeat(200));
    let tool = bench.runtime().args(["run", "--bundle"]);
    tool.arg(&bundle.directory).arg(&id).expect(0);
    bench.assert_gone(&id);
}

#[test]
fn an_id_that_nobody_has_does_not_exist() {
    let bench = Bench::new();
    let mut refusals = Refusals::on(&bench);
    for (command, code) in COMMANDS {
        if command == "delete --force" {
            continue;
        }
        refusals.expect(
            command,
            code,
            "container does not exist: \"nobodys\"",
            |tool| on(tool, command, "nobodys"),
        );
    }
    refusals.end();
    bench
        .runtime()
        .args(["delete", "--force", "nobodys"])
        .expect(0);
    assert!(!bench.root().exists(), "a look makes no state directory");
}

#[test]
fn an_id_that_is_taken_is_refused_and_its_container_runs_on() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "bundle", &["sleep", "1000"]);
    let container = Container::started(&bench, Runtime::Ours, &bundle);
    let pid = container.pid();
    let mut refusals = Refusals::on(&bench);
    let says = format!("container with id \"{}\" already exists", container.id);
    for command in ["create", "run", "run --detach", "run --keep"] {
        refusals.expect(command, 125, &says, |tool| {
            let tool = tool.args(command.split(' ')).arg("--bundle");
            tool.arg(&bundle.directory).arg(&container.id)
        });
    }
    refusals.end();
    assert_eq!(container.pid(), pid);
    assert_eq!(container.state()["status"], "running");
    container.exec(&["true"]).expect(0);
}
