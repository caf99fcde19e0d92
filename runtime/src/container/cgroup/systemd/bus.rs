//! A connection to systemd.

use std::env;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use nix::unistd::getuid;

use super::message::{Call, Incoming, Kind, PREFIX, Reader, Value, Writer, total_length};

/// How long systemd may take to answer, or to finish a job.
const PATIENCE: Duration = Duration::from_secs(60);

const SYSTEMD: &str = "org.freedesktop.systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const MANAGER_PATH: &str = "/org/freedesktop/systemd1";

/// A connection to the system's manager or to a user's.
#[derive(Debug)]
pub(super) struct Bus {
    socket: UnixStream,
    serial: u32,
    /// Signals that came while an answer was waited for.
    signals: Vec<Incoming>,
}

/// What went wrong.
#[derive(Debug)]
pub(super) enum Failure {
    /// The connection.
    Broken(io::Error),
    /// systemd refused: an error's name, and its text.
    Refused(String, String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Broken(error) => write!(f, "{error}"),
            Self::Refused(_, text) => f.write_str(text),
        }
    }
}

impl Failure {
    /// Whether systemd refused by this name, without the prefix that its errors have.
    pub(super) fn is(&self, name: &str) -> bool {
        let Self::Refused(refused, _) = self else {
            return false;
        };
        refused.strip_prefix("org.freedesktop.systemd1.") == Some(name)
    }
}

impl Bus {
    /// Connects to the system's manager, or to the manager of the user who calls.
    ///
    /// # Errors
    /// Where there is none.
    pub(super) fn connect(is_user: bool) -> Result<Self, Failure> {
        let (own, shared) = addresses(is_user);
        // systemd's own socket does without a bus daemon, which containers and small machines may lack.
        if let Ok(socket) = UnixStream::connect(own) {
            return Self::authenticated(socket);
        }
        let mut bus = Self::authenticated(UnixStream::connect(shared)?)?;
        let daemon = "org.freedesktop.DBus";
        let path = "/org/freedesktop/DBus";
        bus.call(daemon, path, daemon, "Hello", "", Writer::default())?;
        let mut body = Writer::default();
        body.text(&format!("type='signal',interface='{MANAGER}'"));
        bus.call(daemon, path, daemon, "AddMatch", "s", body)?;
        bus.manager("Subscribe", "", Writer::default())?;
        Ok(bus)
    }

    /// The other side takes our identity from the socket: in a user namespace we don't know it ourselves.
    fn authenticated(mut socket: UnixStream) -> Result<Self, Failure> {
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        // All at once: a first message that reaches systemd in one piece with BEGIN, it leaves lying until the
        // next one comes.
        socket.write_all(b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n")?;
        expect(&mut socket, "DATA")?;
        expect(&mut socket, "OK ")?;
        Ok(Self {
            socket,
            serial: 0,
            signals: vec![],
        })
    }

    /// Starts the unit `name` with `properties` and waits until it has started.
    ///
    /// # Errors
    /// systemd's; [`Failure::is`] `UnitExists` where there is one of this name.
    pub(super) fn start_unit(
        &mut self,
        name: &str,
        properties: &[(String, Value)],
    ) -> Result<(), Failure> {
        let mut body = Writer::default();
        body.text(name).text("fail").properties(properties);
        // No units besides.
        body.array(8, |_| {});
        let reply = self.manager("StartTransientUnit", "ssa(sv)a(sa(sv))", body)?;
        let job = reply.body().text()?;
        self.wait_for_job(&job)
    }

    /// Stops the unit `name` and waits until it has stopped.
    ///
    /// # Errors
    /// systemd's; [`Failure::is`] `NoSuchUnit` where there is none.
    pub(super) fn stop_unit(&mut self, name: &str) -> Result<(), Failure> {
        let mut body = Writer::default();
        body.text(name).text("replace");
        let reply = self.manager("StopUnit", "ss", body)?;
        let job = reply.body().text()?;
        self.wait_for_job(&job)
    }

    /// Has systemd forget that the unit `name` failed.
    ///
    /// # Errors
    /// systemd's.
    pub(super) fn reset_failed_unit(&mut self, name: &str) -> Result<(), Failure> {
        let mut body = Writer::default();
        body.text(name);
        self.manager("ResetFailedUnit", "s", body).map(drop)
    }

    /// Changes properties of the unit `name` while it runs.
    ///
    /// # Errors
    /// systemd's.
    pub(super) fn set_properties(
        &mut self,
        name: &str,
        properties: &[(String, Value)],
    ) -> Result<(), Failure> {
        let mut body = Writer::default();
        // True: until the unit is gone, and not in its files.
        body.text(name).uint32(1).properties(properties);
        self.manager("SetUnitProperties", "sba(sv)", body).map(drop)
    }

    /// The cgroup of the manager itself, from the hierarchy's root.
    ///
    /// # Errors
    /// systemd's.
    pub(super) fn control_group(&mut self) -> Result<PathBuf, Failure> {
        let mut body = Writer::default();
        body.text(MANAGER).text("ControlGroup");
        let properties = "org.freedesktop.DBus.Properties";
        let reply = self.call(SYSTEMD, MANAGER_PATH, properties, "Get", "ss", body)?;
        Ok(reply.body().text_variant()?.into())
    }

    fn manager(
        &mut self,
        member: &str,
        signature: &str,
        body: Writer,
    ) -> Result<Incoming, Failure> {
        self.call(SYSTEMD, MANAGER_PATH, MANAGER, member, signature, body)
    }

    fn call(
        &mut self,
        destination: &str,
        path: &str,
        interface: &str,
        member: &str,
        signature: &str,
        body: Writer,
    ) -> Result<Incoming, Failure> {
        self.serial += 1;
        let call = Call {
            destination,
            path,
            interface,
            member,
            signature,
            body,
        };
        self.socket.write_all(&call.message(self.serial))?;
        loop {
            let incoming = self.receive()?;
            match incoming.kind {
                Kind::Reply if incoming.answers == Some(self.serial) => return Ok(incoming),
                Kind::Error if incoming.answers == Some(self.serial) => {
                    let text = incoming.body().text().unwrap_or_default();
                    let name = incoming.error.unwrap_or_default();
                    let text = if text.is_empty() { name.clone() } else { text };
                    return Err(Failure::Refused(name, text));
                }
                Kind::Signal => self.signals.push(incoming),
                _ => {}
            }
        }
    }

    /// Waits for the signal that a job is through.
    fn wait_for_job(&mut self, job: &str) -> Result<(), Failure> {
        loop {
            let incoming = match self.signals.pop() {
                Some(signal) => signal,
                None => self.receive()?,
            };
            if incoming.kind != Kind::Signal || incoming.member.as_deref() != Some("JobRemoved") {
                continue;
            }
            let mut body = incoming.body();
            let (_, path, unit) = (body.uint32()?, body.text()?, body.text()?);
            if path == job {
                return result_of(&unit, &mut body);
            }
        }
    }

    fn receive(&mut self) -> Result<Incoming, Failure> {
        let mut prefix = [0; PREFIX];
        self.socket.read_exact(&mut prefix)?;
        let mut message = prefix.to_vec();
        message.resize(total_length(&prefix)?, 0);
        self.socket.read_exact(&mut message[PREFIX..])?;
        Ok(Incoming::parse(&message)?)
    }
}

fn result_of(unit: &str, body: &mut Reader<'_>) -> Result<(), Failure> {
    match body.text()?.as_str() {
        "done" => Ok(()),
        result => Err(Failure::Refused(
            String::new(),
            format!("the job of {unit} ended as \"{result}\""),
        )),
    }
}

/// systemd's own socket, and that of the bus.
fn addresses(is_user: bool) -> (PathBuf, PathBuf) {
    if !is_user {
        return (
            "/run/systemd/private".into(),
            "/run/dbus/system_bus_socket".into(),
        );
    }
    let directory = env::var_os("XDG_RUNTIME_DIR").map_or_else(
        || PathBuf::from(format!("/run/user/{}", getuid())),
        PathBuf::from,
    );
    (directory.join("systemd/private"), directory.join("bus"))
}

/// Reads one line of the conversation before the first message.
fn expect(socket: &mut UnixStream, begin: &str) -> io::Result<()> {
    let mut line = vec![];
    let mut byte = [0];
    while !line.ends_with(b"\r\n") && line.len() < 512 {
        socket.read_exact(&mut byte)?;
        line.push(byte[0]);
    }
    let line = String::from_utf8_lossy(&line);
    if line.starts_with(begin) {
        return Ok(());
    }
    Err(io::Error::other(format!("refused: {}", line.trim())))
}
