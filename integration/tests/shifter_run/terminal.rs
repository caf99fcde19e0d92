//! Before a user's terminal: the command has one of its own, and the caller's keys, sizes and shell do what they did.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use integration::{Session, Tool, host, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::rootless::Home;
use crate::site::{SOON, Site, USER};

/// Who makes the container.
#[derive(Debug, Clone, Copy)]
enum Who {
    Root,
    User,
}

const BOTH: [Who; 2] = [Who::Root, Who::User];

/// A site whose image has the host's bash.
struct Place {
    home: Home,
    who: Who,
}

impl Place {
    fn new(who: Who) -> Self {
        let home = Home::new("");
        let inside = home.site.path("images/plain.");
        copy_into(&inside, Path::new("/bin/bash"));
        let shown = Tool::new("ldd").arg("/bin/bash").expect(0);
        let libraries = shown.stdout.split_whitespace();
        for library in libraries.filter(|word| word.starts_with('/')) {
            copy_into(&inside, Path::new(library));
        }
        Self { home, who }
    }

    fn site(&self) -> &Site {
        &self.home.site
    }

    fn shifter(&self, options: &[&str]) -> Tool {
        let tool = match self.who {
            Who::Root => self.site().shifter(),
            Who::User => self.home.shifter("plain"),
        };
        tool.args(["--env=PS1=inner> ", "--env=LC_ALL=C"])
            .args(options)
    }

    /// A shell of the caller's, with job control, for which `"$@"` is `shifter` with these words.
    fn within_a_shell(&self, words: &[&str]) -> Session {
        let shell = ["--norc", "--noediting", "-i", "-s", "--"];
        let tool = self.shifter(words).env("PS1", "outer> ");
        let tool = tool.env("HISTFILE", "").env("LC_ALL", "C");
        let mut session = Session::start(tool.within("/bin/bash", &shell), 33, 111);
        session.waits_for("outer>");
        session
    }

    #[track_caller]
    fn assert_nothing_left(&self) {
        wait_until("its state is gone", SOON, || {
            let users = host::names_in(&self.home.state());
            self.site().bench.state_names().is_empty() && users.is_empty()
        });
        wait_until("the command is gone", SOON, || {
            self.processes("").is_empty()
        });
    }

    /// The pids of the processes of this site whose command lines have `text`.
    fn processes(&self, text: &str) -> Vec<Pid> {
        let place = self.site().path("").display().to_string();
        let found = host::processes(|shown| shown.contains(&place) && shown.contains(text));
        let pid = |shown: &String| shown.split(' ').next()?.parse().ok().map(Pid::from_raw);
        found.iter().filter_map(pid).collect()
    }
}

/// A line for a shell with job control: what it starts says itself that it has the terminal.
const BEGUN: &str = "sh -c \"echo be''gun; exec sleep 1000\"\n";

/// Types the key that stops until the shell has stopped something: before that is in the foreground, the key is the
/// shell's own, which passes it over.
fn stops(session: &mut Session) {
    let deadline = std::time::Instant::now() + SOON;
    while !session.types("\x1a").shown().contains("Stopped") {
        assert!(std::time::Instant::now() < deadline, "{session:?}");
    }
    session.waits_for("Stopped").waits_for("inner>");
}

/// At the same path inside.
fn copy_into(inside: &Path, file: &Path) {
    let within: PathBuf = file.components().skip(1).collect();
    let place = inside.join(within);
    if place.exists() {
        return;
    }
    fs::create_dir_all(place.parent().expect("a directory")).expect("make a directory");
    fs::copy(file, place).expect("copy");
}

fn modes(session: &Session) -> String {
    format!("{:?}", session.modes())
}

#[test]
fn an_interactive_shell_has_job_control() {
    for who in BOTH {
        let place = Place::new(who);
        let fresh = integration::terminal::Terminal::open();
        let before = nix::sys::termios::tcgetattr(fresh.slave()).expect("modes");
        let tool = place.shifter(&["bash", "--norc", "--noediting", "-i"]);
        let mut session = Session::start(tool, 33, 111);
        session.waits_for("inner>");
        let complaint = "job control";
        assert!(!session.shown().contains(complaint), "{session:?}");
        assert!(session.is_raw(), "keys don't come through");
        session.types("busybox stty size\n").waits_for("33 111");
        session.types("busybox tty; echo $(ls /dev/pts)\n");
        session.waits_for("/dev/pts/0").waits_for("0 ptmx");
        session.resize(44, 122);
        session.types("busybox stty size\n").waits_for("44 122");
        session.types("sleep 100 &\n").waits_for("[1]");
        session.types("jobs\n").waits_for("Running");
        // Said by the shell; at the prompt the key would take back what is typed.
        session.types("fg\n").waits_for("sleep 100\r\n");
        stops(&mut session);
        session.types("bg\n").waits_for("sleep 100 &");
        session.types("kill %1; wait %1; echo code $?\n");
        session.waits_for("code 143");
        session.types(BEGUN).waits_for("begun");
        session.types("\x03").waits_for("^C");
        session.types("echo code $?\n").waits_for("code 130");
        session.types("exit 42\n");
        assert_eq!(session.ends(), Some(42), "{session:?}");
        assert_eq!(
            modes(&session),
            format!("{before:?}"),
            "the terminal's modes"
        );
        place.assert_nothing_left();
    }
}

/// Root has made the container, and the step runs it without root.
#[test]
fn a_step_of_a_job_has_a_terminal_too() {
    let place = Place::new(Who::User);
    let of_site = place.site().path("").display().to_string();
    let of_site = of_site.trim_end_matches('/');
    let of_root = format!("--config '{of_site}/udiRoot.conf' --state '{of_site}/node'");
    let shifter = format!("'{of_site}/shifter'");
    let user = format!("setpriv --reuid={USER} --regid={USER} --clear-groups {shifter}");
    let script = format!(
        "{shifter} setupRoot {of_root} -U {USER} -G {USER} id plain || exit 99\n\
         PS1='inner> ' {user} --config '{of_site}/udiRoot.conf' bash --norc --noediting -i\ncode=$?\n\
         {shifter} unsetupRoot {of_root} || exit 98\nexit $code"
    );
    let private = ["--mount", "--propagation", "private", "sh", "-c", &script];
    let tool = Tool::new("unshare").args(private).env("LC_ALL", "C");
    let mut session = Session::start(tool.current_dir(Path::new("/")), 33, 111);
    session.waits_for("inner>");
    assert!(!session.shown().contains("job control"), "{session:?}");
    session.types("busybox tty; id -u\n");
    session.waits_for("/dev/pts/0").waits_for("1234");
    session.types(BEGUN).waits_for("begun");
    stops(&mut session);
    session.types("exit 42\n").waits_for("stopped jobs");
    session.types("exit 42\n");
    assert_eq!(session.ends(), Some(42), "{session:?}");
    assert!(!session.is_raw());
    place.assert_nothing_left();
}

/// The hostile program's way to type for its user's shell: it never holds the terminal of that.
#[test]
fn the_callers_terminal_is_not_the_commands() {
    for who in BOTH {
        let place = Place::new(who);
        let tool = place.shifter(&[
            "sh",
            "-c",
            "busybox stat -L -c inside=%d:%i /proc/self/fd/0",
        ]);
        let outside = tool.within(
            "sh",
            &[
                "-c",
                "stat -L -c outside=%d:%i /proc/self/fd/0; exec \"$@\"",
                "sh",
            ],
        );
        let mut session = Session::start(outside, 33, 111);
        assert_eq!(session.ends(), Some(0), "{session:?}");
        let shown = session.shown().to_owned();
        let told = |name| {
            let told = shown
                .split_whitespace()
                .find_map(|word| word.strip_prefix(name));
            told.unwrap_or_else(|| panic!("no {name} {shown}"))
                .to_owned()
        };
        assert_ne!(told("outside="), told("inside="), "{shown}");
    }
}

#[test]
fn what_is_redirected_stays_as_it_is() {
    for who in BOTH {
        let place = Place::new(who);
        let tests = "for number in 0 1 2; do test -t $number; echo =$? >&2; done";
        for (redirected, wanted) in [
            ("\"$@\" | cat", ["=0", "=1", "=0"]),
            ("\"$@\" </dev/null", ["=1", "=0", "=0"]),
            ("\"$@\" 2>&1 >/dev/null | cat", ["=0", "=1", "=1"]),
            ("\"$@\"", ["=0", "=0", "=0"]),
        ] {
            let tool = place.shifter(&["sh", "-c", tests]);
            let mut session = Session::start(tool.within("sh", &["-c", redirected, "sh"]), 3, 80);
            assert_eq!(session.ends(), Some(0), "{session:?}");
            let shown = session.shown().split_whitespace();
            // mount(8) may have hints of its own.
            let shown: Vec<&str> = shown.filter(|word| word.starts_with('=')).collect();
            assert_eq!(shown, wanted, "{redirected}");
        }
        place.assert_nothing_left();
    }
}

#[test]
fn a_pipeline_is_interrupted() {
    for who in BOTH {
        let place = Place::new(who);
        let mut session = place.within_a_shell(&["sh", "-c", "echo ready; exec sleep 1000"]);
        session.types("\"$@\" | cat\n").waits_for("\nready");
        session.types("\x03").waits_for("^C").waits_for("outer>");
        session.types("exit 7\n");
        assert_eq!(session.ends(), Some(7), "{session:?}");
        place.assert_nothing_left();
    }
}

/// As a command without a container that isn't a shell itself.
#[test]
fn the_callers_shell_stops_a_command_and_lets_it_go_on() {
    for who in BOTH {
        let place = Place::new(who);
        let sleep = format!("sleep {}", 100_000_000 + std::process::id());
        let script = format!("echo ready; {sleep}; echo over");
        let mut session = place.within_a_shell(&["sh", "-c", &script]);
        session.types("\"$@\"\n").waits_for("\nready");
        let sleeps = || -> Vec<char> {
            let found = host::processes(|shown| shown.contains(&sleep));
            let states = found.iter().filter(|shown| !shown.contains("ready"));
            states.map(|shown| state_of(shown)).collect()
        };
        wait_until("it sleeps", SOON, || sleeps() == ['S']);
        session
            .types("\x1a")
            .waits_for("Stopped")
            .waits_for("outer>");
        assert!(!session.is_raw(), "the shell's terminal is raw");
        wait_until("the command is stopped", SOON, || sleeps() == ['T']);
        session.types("bg\n").waits_for("outer>");
        wait_until("the command goes on", SOON, || sleeps() == ['S']);
        session.types("jobs\n").waits_for("Running");
        session.types("fg\n");
        wait_until("it has the terminal again", SOON, || session.is_raw());
        session.types("\x03").waits_for("^C").waits_for("outer>");
        session.types("echo code $?\n").waits_for("code 130");
        session.types("exit 7\n");
        assert_eq!(session.ends(), Some(7), "{session:?}");
        place.assert_nothing_left();
    }
}

/// Which passes it over, and `shifter` isn't stopped for it.
#[test]
fn the_key_that_stops_is_a_shells_own_at_its_prompt() {
    for who in BOTH {
        let place = Place::new(who);
        let mut session = place.within_a_shell(&["bash", "--norc", "--noediting", "-i"]);
        session.types("\"$@\"\n").waits_for("inner>");
        session.types("\x1a").types("echo at $SHIFTER_IMAGE.\n");
        session.waits_for("at plain.");
        session.types("exit 3\n").waits_for("outer>");
        session.types("echo code $?\n").waits_for("code 3");
        session.types("exit 7\n");
        assert_eq!(session.ends(), Some(7), "{session:?}");
        place.assert_nothing_left();
    }
}

fn state_of(shown: &str) -> char {
    let pid = shown.split(' ').next().and_then(|pid| pid.parse().ok());
    pid.and_then(host::state_of).unwrap_or('?')
}

#[test]
fn a_command_in_the_background_prints_and_reads_when_it_is_brought_back() {
    for who in BOTH {
        let place = Place::new(who);
        let script = "echo number $((40 + 2)); read line; echo \"got $line\"; exit 5";
        let mut session = place.within_a_shell(&["sh", "-c", script]);
        session.types("\"$@\" &\n").waits_for("number 42");
        session.types("jobs\n").waits_for("Running");
        assert!(!session.is_raw(), "the shell's terminal is raw");
        session.types("fg\n");
        wait_until("it has the terminal", SOON, || session.is_raw());
        session
            .types("hello\n")
            .waits_for("got hello")
            .waits_for("outer>");
        session.types("echo code $?\n").waits_for("code 5");
        session.types("exit 7\n");
        assert_eq!(session.ends(), Some(7), "{session:?}");
        place.assert_nothing_left();
    }
}

/// Whoever types the key means all of the script.
#[test]
fn a_script_ends_with_the_command_that_is_interrupted_in_it() {
    for who in BOTH {
        let mut place = Place::new(who);
        let program = match who {
            Who::Root => integration::shifter(),
            Who::User => place.home.program.clone(),
        };
        let script = place.site().path("script");
        let text = format!(
            "#!/bin/bash\nfor one in 1 2 3; do '{}' \"$@\"; done; echo went on\n",
            program.display()
        );
        integration::program::write(&script, &text);
        let words_inside = ["sh", "-c", "echo ready; exec sleep 1000"];
        // It is its own user's to interrupt, and nobody else's.
        let tool = match who {
            Who::Root => {
                let shell = "script=$1; shift 2; exec \"$script\" \"$@\"";
                let words = ["-c", shell, "sh", &script.display().to_string()];
                place.shifter(&words_inside).within("sh", &words)
            }
            Who::User => {
                place.home.program = script;
                place.shifter(&words_inside)
            }
        };
        let mut session = Session::start(tool, 33, 111);
        session.waits_for("ready").types("\x03");
        let status = session.status();
        assert_eq!(status.signal(), Some(Signal::SIGINT as i32), "{session:?}");
        assert!(!session.shown().contains("went on"), "{session:?}");
        place.assert_nothing_left();
    }
}

/// What a command does with the key itself is its own affair, and its exit code too.
#[test]
fn a_command_that_handles_the_key_ends_as_it_likes() {
    for who in BOTH {
        let place = Place::new(who);
        let script = "trap 'echo handled; exit 3' INT; echo ready; while :; do sleep 1; done";
        let mut session = Session::start(place.shifter(&["sh", "-c", script]), 33, 111);
        session
            .waits_for("ready")
            .types("\x03")
            .waits_for("handled");
        assert_eq!(session.ends(), Some(3), "{session:?}");
        assert_eq!(session.shown().matches("handled").count(), 1);
        place.assert_nothing_left();
    }
}

#[test]
fn the_terminal_is_given_back_when_shifter_is_killed() {
    for who in BOTH {
        let place = Place::new(who);
        let mut session = place.within_a_shell(&["bash", "--norc", "-i"]);
        let before = modes(&session);
        session.types("\"$@\"\n").waits_for("inner>");
        assert!(session.is_raw());
        // Its first process has the job's number.
        let shifter = session.foreground();
        kill(shifter, Signal::SIGKILL).expect("kill");
        session.waits_for("Killed").waits_for("outer>");
        wait_until("the modes are back", SOON, || modes(&session) == before);
        session.types("exit 7\n");
        assert_eq!(session.ends(), Some(7), "{session:?}");
        place.assert_nothing_left();
    }

    // Where no shell does so as well.
    for who in BOTH {
        let place = Place::new(who);
        let tool = place.shifter(&["sh", "-c", "echo ready; exec sleep 1000"]);
        let mut session = Session::start(tool, 33, 111);
        let fresh = integration::terminal::Terminal::open();
        let before = nix::sys::termios::tcgetattr(fresh.slave()).expect("modes");
        session.waits_for("ready");
        assert!(session.is_raw());
        session.signal(Signal::SIGKILL);
        session.status();
        wait_until("the modes are back", SOON, || {
            modes(&session) == format!("{before:?}")
        });
        place.assert_nothing_left();
    }
}
