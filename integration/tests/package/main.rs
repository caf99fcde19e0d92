//! The Debian package and `hack/install`: installed, used and taken away again, and nothing is left.
//!
//! The package is `$OPT_PACKAGE`, which `hack/test` has made by `hack/package`. It is installed in a machine
//! that is this one with a layer over its file system, in a mount namespace of its own: what is on the layer
//! afterwards is what was left, and this machine itself never sees any of it.

use std::fs;
use std::path::Path;

mod bill;
mod machine;
mod same_bytes;
mod supply_chain;

use integration::{Bench, Tool, plain};
use machine::{Machine, package, with_package};

#[test]
fn a_package_is_installed_used_and_removed_and_nothing_is_left() {
    let bench = Bench::new();
    let machine = Machine::new(&bench);
    let package = package(&bench);
    assert_eq!(machine.changes(), [""; 0]);

    machine
        .tool("dpkg")
        .arg("--install")
        .arg(&package)
        .expect(0);
    let made = machine.changes();
    for path in [
        "./etc/opt-runtime/config.toml",
        "./usr/bin/containerd-shim-opt-v1",
        "./usr/bin/opt-runtime",
        "./usr/bin/opt-server",
        "./usr/bin/shifter",
        "./usr/bin/shifter-imagegw",
        "./usr/bin/shifterimg",
        "./usr/share/bash-completion/completions/opt-runtime",
        "./usr/share/fish/vendor_completions.d/opt-server.fish",
        "./usr/share/zsh/vendor-completions/_opt-runtime",
        "./usr/share/opt-runtime/sbom.cdx.json",
        "./usr/share/opt-runtime/snippets/podman/containers.conf",
        "./usr/share/opt-runtime/snippets/slurm/oci.conf",
        "./usr/share/opt-runtime/snippets/image-gateway/imagemanager.json",
        "./usr/lib/systemd/system/opt-server.service",
        "./usr/lib/systemd/system/shifter-imagegw.service",
        "./usr/share/doc/opt-runtime/copyright",
        "./usr/share/man/man1/opt-runtime-run.1.gz",
    ] {
        assert!(made.iter().any(|line| line == path), "no {path}: {made:#?}");
    }
    is_used(&bench, &machine);

    // Remove leaves the settings, which are the site's; purge takes them, whatever is in them.
    machine.shell("echo 'policy = \"check\"' >>/etc/opt-runtime/config.toml");
    machine
        .tool("dpkg")
        .args(["--remove", "opt-runtime"])
        .expect(0);
    assert_eq!(machine.changes(), ["./etc/opt-runtime/config.toml"]);
    machine
        .tool("dpkg")
        .args(["--purge", "opt-runtime"])
        .expect(0);
    assert_eq!(machine.changes(), [""; 0]);
    let left = machine.shell("cd /tmp/layer && find . -type d -name '*opt-*'; dpkg --list 'opt-runtime*' 2>&1 | grep ^ii || true");
    assert_eq!(left.stdout, "");
}

/// What a user does with it.
fn is_used(bench: &Bench, machine: &Machine) {
    let bundle = plain::bundle(bench, "bundle", &["echo", "from inside"]);
    machine
        .tool("opt-runtime")
        .arg("run")
        .arg(&bundle.directory)
        .expect(0)
        .says("from inside");
    machine
        .tool("opt-runtime")
        .arg("--version")
        .expect(0)
        .says("opt-runtime version ");
    machine
        .tool("containerd-shim-opt-v1")
        .arg("-version")
        .expect(0)
        .says("containerd-shim-opt-v1 version ");
    machine
        .tool("opt-server")
        .arg("--version")
        .expect(0)
        .says("opt-server ");
    machine
        .tool("shifter")
        .arg("--version")
        .expect(0)
        .says("shifter ");
    machine
        .tool("shifter-imagegw")
        .arg("--version")
        .expect(0)
        .says("shifter-imagegw ");
    machine
        .tool("shifterimg")
        .arg("--version")
        .expect(0)
        .says("shifterimg ");
    let snippets = "/usr/share/opt-runtime/snippets/image-gateway";
    machine
        .tool("shifter-imagegw")
        .args(["check", "--config"])
        .arg(format!("{snippets}/imagemanager.json"))
        .expect(0);
    // The settings as shipped are ones: a bundle that promises nothing has run. They are also read.
    machine.shell("sed -i.kept 's/^#policy = .*/policy = \"check\"/' /etc/opt-runtime/config.toml");
    let refused = machine
        .tool("opt-runtime")
        .arg("run")
        .arg(&bundle.directory)
        .expect(125);
    assert!(
        refused
            .one_line()
            .contains("policy check (/etc/opt-runtime/config.toml)"),
        "{refused}"
    );
    machine.shell("mv /etc/opt-runtime/config.toml.kept /etc/opt-runtime/config.toml");

    for (page, says) in [
        ("opt-runtime", "opt-runtime-checkpoint(1)"),
        ("opt-runtime-run", "--console-socket"),
        ("opt-runtime-bundle-opt-server", "--project"),
        ("opt-server", "opt-server-run(1)"),
        ("opt-server-run", "--sandbox-info"),
        ("shifter", "shifter-image(1)"),
        ("shifter-imagegw", "shifter-imagegw-serve(1)"),
        ("shifterimg", "shifterimg-pull(1)"),
    ] {
        machine.shell(&format!("man --where {page}"));
        machine
            .shell(&format!("MANWIDTH=200 man --warnings {page} | cat"))
            .says(says);
    }
    machine
        .shell("whatis opt-runtime")
        .says("OCI container runtime");

    // As bash does it: the function that the program's file registers is called with the words so far.
    let complete = |line: &str| {
        let program = line.split(' ').next().expect("a program");
        let script = format!(
            ". /usr/share/bash-completion/bash_completion; __load_completion {program}
            function=$(complete -p {program} | sed 's/.* -F \\([^ ]*\\) .*/\\1/')
            COMP_LINE='{line}'; COMP_WORDS=($COMP_LINE); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
            $function {program} ${{COMP_WORDS[-1]}} ${{COMP_WORDS[-2]}}; echo ${{COMPREPLY[@]}}"
        );
        machine.shell(&script).stdout
    };
    let mut words: Vec<String> = complete("opt-runtime chec")
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    words.sort();
    assert_eq!(words, ["check", "checkpoint"]);
    assert_eq!(complete("opt-runtime exec --console"), "--console-socket\n");
    assert_eq!(complete("opt-server ru"), "run\n");
    assert_eq!(complete("shifter-imagegw token rev"), "revoke\n");
    assert_eq!(complete("shifterimg autoe"), "autoexpire\n");
}

#[test]
fn the_programs_are_static_and_ask_no_name_service() {
    let bench = Bench::new();
    let machine = with_package(&bench);
    let bundle = plain::bundle(&bench, "bundle", &["true"]);
    let trace = "/tmp/trace";
    for line in [
        format!("opt-runtime run {}", bundle.directory.display()),
        "opt-runtime list".to_owned(),
        "opt-runtime doctor --json".to_owned(),
        "opt-runtime --version".to_owned(),
        "containerd-shim-opt-v1 --version".to_owned(),
        "opt-server --help".to_owned(),
        "shifter --help".to_owned(),
        "shifter-imagegw --help".to_owned(),
        "shifterimg --help".to_owned(),
    ] {
        let tool = machine.tool("strace").args([
            "-f",
            "-qq",
            "-e",
            "trace=open,openat,openat2,connect",
            "-o",
            trace,
        ]);
        let outcome = tool.args(line.split(' ')).run();
        assert!(matches!(outcome.code, Some(0 | 1)), "{outcome}");
        let calls = machine.shell(&format!("cat {trace}")).stdout;
        assert!(
            calls.contains("openat(") || line.contains("--"),
            "{line}: nothing was traced"
        );
        let own = |call: &&str| !call.contains("/usr/share/zoneinfo");
        for call in calls.lines().filter(own) {
            for library in [
                "ld.so.cache",
                "ld-linux",
                "libc.so",
                "libnss",
                "nsswitch.conf",
                "nscd",
            ] {
                assert!(!call.contains(library), "{line}: {call}");
            }
        }
    }
    let interpreter =
        machine.shell("cd /usr/bin && for each in opt-runtime containerd-shim-opt-v1 opt-server shifter shifter-imagegw shifterimg; do readelf --program-headers $each; done");
    interpreter.says("LOAD");
    assert!(!interpreter.stdout.contains("INTERP"), "{interpreter}");
}

/// getent(1) is what has the name service in it.
#[test]
fn hosts_are_found_as_the_machine_finds_them_and_by_no_static_program_itself() {
    let bench = Bench::new();
    let machine = with_package(&bench);
    machine.shell("rm -f /etc/resolv.conf; echo 'nameserver 127.0.0.1' >/etc/resolv.conf
         echo '127.0.0.1 gateway.site' >>/etc/hosts; mkdir -m 755 /run/site; mkdir -m 777 /run/made");
    machine.shell(
        "echo secret >/run/site/token; chmod 600 /run/site/token; chown 1000 /run/site/token",
    );
    let ask = |host: &str| {
        let site =
            format!("imagePath=/run\netcPath=/etc\nsystem=cluster\nimageGateway=http://{host}:1\n");
        machine.shell(&format!("printf '{site}' >/run/site/udiRoot.conf"));
        let ask = "shifterimg --config /run/site/udiRoot.conf --token-file /run/site/token images";
        let pull = format!(
            "shifter-imagegw make --quiet --plain-http --cache /run/made/cache docker://{host}:1/app:1 /run/made/app.erofs"
        );
        [ask.to_owned(), pull].map(|line| {
            // What makes it a user's asks the name service itself, so it is outside.
            let trace = "--reuid 1000 --regid 1000 --clear-groups \
                         strace -f -qq -e trace=execve,openat -o /run/made/trace";
            let tool = machine.tool("setpriv").args(trace.split_ascii_whitespace());
            let outcome = tool.args(line.split_ascii_whitespace()).run();
            assert_eq!(outcome.code, Some(1), "{outcome}");
            let calls = machine.shell("cat /run/made/trace").stdout;
            let others = |call: &&str| call.contains("/getent\"");
            let pid = |call: &str| call.split(' ').next().unwrap_or_default().to_owned();
            let asked: Vec<String> = calls.lines().filter(others).map(pid).collect();
            assert!(!asked.is_empty(), "{calls}");
            for call in calls.lines().filter(|call| call.contains("nsswitch.conf")) {
                assert!(asked.contains(&pid(call)), "{call}");
            }
            outcome.stderr
        })
    };
    for told in ask("gateway.site") {
        assert!(told.contains("Connection refused"), "{told}");
    }
    for told in ask("elsewhere.invalid") {
        assert!(
            told.contains("there is no host \"elsewhere.invalid\""),
            "{told}"
        );
    }
}

/// `hack/install`, which puts what the package was made of below a directory.
fn install(bench: &Bench, arguments: &[&str]) -> Tool {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the project");
    let tool = Tool::new(top.join("hack/install")).args(arguments);
    tool.env("DESTDIR", bench.path("host").to_str().expect("text"))
}

#[test]
fn hack_install_takes_away_all_that_it_put_there_and_nothing_else() {
    let bench = Bench::new();
    let host = bench.directory("host");
    for directory in ["usr/local/bin", "usr/local/share/man", "etc"] {
        fs::create_dir_all(host.join(directory)).expect("a directory");
    }
    let others = host.join("usr/local/share/man/others.1");
    fs::write(&others, "").expect("a file");
    let tree = || {
        Tool::new("find")
            .arg(&host)
            .args(["-printf", "%P %m\n"])
            .expect(0)
            .stdout
    };
    let before = tree();
    let from = std::env::var("OPT_STATIC")
        .expect("OPT_STATIC names what hack/build-static made, or use hack/test");
    let put = || install(&bench, &["--from", &from]).expect(0);

    put();
    let program = host.join("usr/local/bin/opt-runtime");
    Tool::new(&program)
        .arg("--version")
        .expect(0)
        .says("opt-runtime version");
    let snippet =
        fs::read_to_string(host.join("usr/local/share/opt-runtime/snippets/slurm/oci.conf"))
            .expect("a file");
    assert!(
        snippet.contains("exec /usr/local/bin/opt-runtime"),
        "{snippet}"
    );
    let prolog = "usr/local/share/opt-runtime/snippets/slurm/shifter-prolog";
    let prolog = fs::read_to_string(host.join(prolog)).expect("a file");
    assert!(
        prolog.contains("exec /usr/local/bin/shifter prolog"),
        "{prolog}"
    );
    let unit = host.join("usr/local/lib/systemd/system/opt-server.service");
    let unit = fs::read_to_string(unit).expect("a file");
    assert!(
        unit.contains("ExecStart=/usr/local/bin/opt-server --start"),
        "{unit}"
    );
    let unit = host.join("usr/local/lib/systemd/system/shifter-imagegw.service");
    let unit = fs::read_to_string(unit).expect("a file");
    assert!(
        unit.contains("ExecStart=/usr/local/bin/shifter-imagegw serve"),
        "{unit}"
    );
    let installed = tree();
    // Once more is the same.
    put();
    assert_eq!(tree(), installed);
    install(&bench, &["--uninstall"]).expect(0);
    assert_eq!(tree(), before);

    // What the site has changed stays, also while a new version comes.
    put();
    let config = host.join("etc/opt-runtime/config.toml");
    fs::write(&config, "policy = \"seal\"\n").expect("write");
    put().says("kept: /etc/opt-runtime/config.toml");
    install(&bench, &["--uninstall"])
        .expect(0)
        .says("hint: --purge");
    assert_eq!(
        fs::read_to_string(&config).expect("a file"),
        "policy = \"seal\"\n"
    );
    put();
    install(&bench, &["--purge"]).expect(0);
    assert_eq!(tree(), before);

    // What a new version has no more goes when it comes.
    let old = bench.path("old");
    Tool::new("cp").arg("-r").arg(&from).arg(&old).expect(0);
    fs::copy(
        old.join("man/opt-runtime.1"),
        old.join("man/opt-runtime-old.1"),
    )
    .expect("copy");
    install(&bench, &["--from", old.to_str().expect("text")]).expect(0);
    let page = host.join("usr/local/share/man/man1/opt-runtime-old.1");
    assert!(page.exists());
    put();
    assert!(!page.exists());
    install(&bench, &["--uninstall"]).expect(0);
    assert_eq!(tree(), before);

    let outcome = install(&bench, &["--uninstall"]).expect(1);
    assert!(
        outcome.one_line().contains("nothing of hack/install's"),
        "{outcome}"
    );
    for wrong in [
        &["--nonsense"][..],
        &["a", "b"],
        &["--from"],
        &["--from", "/nowhere"],
    ] {
        install(&bench, wrong).expect(1);
    }
}
