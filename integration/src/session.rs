//! A program run in a terminal of its own, as a user at a keyboard runs it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::process::{Child, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc::winsize;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::Winsize;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, Termios, tcgetattr};
use nix::unistd::{Pid, tcgetpgrp};

use crate::Tool;
use crate::terminal::Terminal;

nix::ioctl_write_ptr_bad!(set_size, nix::libc::TIOCSWINSZ, winsize);

const PATIENCE: Duration = Duration::from_secs(20);

const MOMENT: Duration = Duration::from_millis(50);

/// A program in a terminal. Killed when dropped before its end.
pub struct Session {
    child: Child,
    terminal: Option<Terminal>,
    /// As long as it is held open here, the terminal's modes can be read.
    slave: File,
    shown: String,
    read: usize,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Session {
    /// Starts `tool` in a terminal of this size.
    #[track_caller]
    pub fn start(mut tool: Tool, rows: u16, columns: u16) -> Self {
        let terminal = Terminal::open();
        let slave = File::from(terminal.slave());
        let command = tool.command();
        terminal.control(command);
        command
            .stdout(Stdio::from(terminal.slave()))
            .stderr(Stdio::from(terminal.slave()));
        set_window(&slave, rows, columns);
        let child = command.spawn().expect("start the program");
        // The command's copies: with them open the terminal would never be hung up.
        drop(tool);
        Self {
            child,
            terminal: Some(terminal),
            slave,
            shown: String::new(),
            read: 0,
        }
    }

    /// The pid of the program.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// The process group that the terminal's keys are for.
    #[track_caller]
    pub fn foreground(&self) -> Pid {
        let terminal = self.terminal.as_ref().expect("a terminal");
        tcgetpgrp(&terminal.master).expect("a foreground group")
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("signal");
    }

    /// Types `text`.
    pub fn types(&mut self, text: &str) -> &mut Self {
        let terminal = self.terminal.as_mut().expect("a terminal");
        terminal.master.write_all(text.as_bytes()).expect("type");
        self
    }

    /// Waits until the terminal shows `text` after what was waited for before.
    #[track_caller]
    pub fn waits_for(&mut self, text: &str) -> &mut Self {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let unread = self.shown.get(self.read..).unwrap_or_default();
            if let Some(at) = unread.find(text) {
                self.read += at + text.len();
                return self;
            }
            assert!(
                Instant::now() < deadline,
                "the terminal doesn't show {text:?}; it shows:\n{}",
                self.shown
            );
            self.look();
        }
    }

    /// Takes in what is shown by now, or in a moment.
    fn look(&mut self) {
        let Some(terminal) = &mut self.terminal else {
            thread::sleep(MOMENT);
            return;
        };
        let mut waiting = [PollFd::new(terminal.master.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(MOMENT).expect("a timeout");
        if poll(&mut waiting, timeout).expect("poll") == 0 {
            return;
        }
        let mut buffer = [0; 65536];
        let length = terminal.master.read(&mut buffer).unwrap_or(0);
        let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
        self.shown.push_str(&text);
    }

    /// Makes the terminal another size.
    pub fn resize(&mut self, rows: u16, columns: u16) -> &mut Self {
        set_window(&self.slave, rows, columns);
        self
    }

    /// Whether the terminal passes on every key as it is.
    pub fn is_raw(&self) -> bool {
        let modes = self.modes();
        !modes
            .local_flags
            .intersects(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG)
    }

    /// The terminal's modes.
    pub fn modes(&self) -> Termios {
        tcgetattr(&self.slave).expect("the terminal's modes")
    }

    /// Takes the terminal away, as a connection that is lost does.
    pub fn hang_up(&mut self) {
        self.terminal = None;
    }

    /// Waits for the program's end: its exit code.
    #[track_caller]
    pub fn ends(&mut self) -> Option<i32> {
        self.status().code()
    }

    /// Waits for the program's end.
    #[track_caller]
    pub fn status(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("wait") {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "it doesn't end; the terminal shows:\n{}",
                self.shown
            );
            self.look();
        }
    }

    /// All that was shown so far.
    pub fn shown(&mut self) -> &str {
        let mut before = None;
        while before != Some(self.shown.len()) {
            before = Some(self.shown.len());
            self.look();
        }
        &self.shown
    }
}

fn set_window(terminal: &File, rows: u16, columns: u16) {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the request reads one `winsize`, which lives through the call.
    unsafe { set_size(terminal.as_raw_fd(), &raw const size) }.expect("set the size");
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.child.try_wait().is_ok_and(|status| status.is_some()) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
