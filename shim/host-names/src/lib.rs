//! Addresses of hosts, asked of getent(1): it sees what the site's name service has (`/etc/hosts`, DNS, LDAP, whatever
//! nsswitch.conf(5) names), which a static program can't load.

#[cfg(feature = "ureq")]
mod resolver;

use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

#[cfg(feature = "ureq")]
pub use resolver::{NameService, agent};

/// The longest name there is in DNS.
const LONGEST: usize = 253;

/// How long the name service may take, where nobody says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The addresses of `host`, a name or an address itself, those to be tried first first.
///
/// # Errors
/// Where it isn't a name, has none, or they don't come within `patience`.
pub fn addresses(host: &str, patience: Duration) -> io::Result<Vec<IpAddr>> {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(host).parse() {
        return Ok(vec![address]);
    }
    if host.eq_ignore_ascii_case("localhost") {
        // By RFC 6761, and without asking anybody.
        return Ok(vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]);
    }
    if !is_name(host) {
        let told = format!("{host:?} is no host's name");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, told));
    }
    match listed(&ask(host, patience)?) {
        found if found.is_empty() => Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("there is no host {host:?}"),
        )),
        found => Ok(found),
    }
}

/// The addresses that `HOST:PORT` names, likewise.
///
/// # Errors
/// As those of [`addresses`], and where there is no port.
pub fn sockets(text: &str, patience: Duration) -> io::Result<Vec<SocketAddr>> {
    let refused = || {
        let told = format!("{text:?} isn't HOST:PORT");
        io::Error::new(io::ErrorKind::InvalidInput, told)
    };
    let (host, port) = text.rsplit_once(':').ok_or_else(refused)?;
    let port = port.parse().map_err(|_| refused())?;
    let found = addresses(host, patience)?.into_iter();
    Ok(found
        .map(|address| SocketAddr::new(address, port))
        .collect())
}

fn is_name(host: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let length = 1..=LONGEST;
    length.contains(&host.len()) && !host.starts_with('-') && host.bytes().all(is_of_name)
}

/// What `getent ahosts` prints; nothing where it knows no such host.
fn ask(host: &str, patience: Duration) -> io::Result<String> {
    let child = Command::new("getent")
        .args(["ahosts", "--", host])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| io::Error::new(error.kind(), format!("getent: {error}")))?;
    answer(child, patience)
}

/// What a child prints until its end, which it reaches in time or by being killed.
fn answer(mut child: Child, patience: Duration) -> io::Result<String> {
    let read = read_within(&mut child, patience);
    if read.is_err() {
        // It has ended already, or shall now.
        let _ = child.kill();
    }
    child.wait()?;
    Ok(String::from_utf8_lossy(&read?).into_owned())
}

fn read_within(child: &mut Child, patience: Duration) -> io::Result<Vec<u8>> {
    let end = Instant::now() + patience;
    let mut printed = vec![];
    let Some(mut output) = child.stdout.take() else {
        return Ok(printed);
    };
    let mut buffer = [0; 4096];
    loop {
        wait_for(&output, end)?;
        match output.read(&mut buffer)? {
            0 => return Ok(printed),
            length => printed.extend_from_slice(buffer.get(..length).unwrap_or_default()),
        }
    }
}

fn wait_for(output: &ChildStdout, end: Instant) -> io::Result<()> {
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let told = "the name service doesn't answer";
            return Err(io::Error::new(io::ErrorKind::TimedOut, told));
        }
        // More than any system waits.
        let left = Timespec::try_from(left.min(Duration::from_secs(86_400))).ok();
        match poll(&mut [PollFd::new(output, PollFlags::IN)], left.as_ref()) {
            Err(rustix::io::Errno::INTR) | Ok(0) => {}
            outcome => return outcome.map(drop).map_err(io::Error::from),
        }
    }
}

/// Each line is an address and what it is for; one of several is enough.
fn listed(printed: &str) -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = vec![];
    for line in printed.lines() {
        let mut words = line.split_ascii_whitespace();
        // An address of a link has its interface behind it, and is no host's here.
        let Some(Ok(address)) = words.next().map(str::parse) else {
            continue;
        };
        if words.next() == Some("STREAM") && !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_their_own_and_localhost_needs_no_service() {
        for (host, meant) in [
            ("192.0.2.1", &["192.0.2.1"][..]),
            ("::1", &["::1"]),
            ("[2001:db8::1]", &["2001:db8::1"]),
            ("LocalHost", &["::1", "127.0.0.1"]),
        ] {
            let found = addresses(host, Duration::ZERO).unwrap();
            let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
            assert_eq!(shown, meant, "{host}");
        }
    }

    #[test]
    fn what_is_no_name_is_asked_of_nobody() {
        let long = "a".repeat(254);
        for host in ["", "-v", "a b", "a/b", "a;b", "[::1", "ä", &long] {
            let error = addresses(host, PATIENCE).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{host}");
        }
        for text in ["a", "a:", "a:b", "a:65536", ""] {
            sockets(text, PATIENCE).expect_err(text);
        }
    }

    #[test]
    fn the_name_service_is_asked() {
        // DNS has no such labels: no server is asked.
        let host = format!("{}.invalid", "a".repeat(64));
        let error = addresses(&host, PATIENCE).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
        // What it prints for an address is that address, through getent all the same.
        let printed = ask("127.0.0.9", PATIENCE).unwrap();
        assert_eq!(listed(&printed), ["127.0.0.9".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn a_service_that_says_nothing_is_not_waited_for_and_ends() {
        let child = Command::new("sleep")
            .arg("20")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let began = Instant::now();
        let error = answer(child, Duration::from_millis(1)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
        assert!(
            began.elapsed() < Duration::from_secs(15),
            "it was waited for"
        );
    }

    #[test]
    fn a_list_is_read_once_for_each_address() {
        let printed = "2001:db8::1     STREAM a.example\n2001:db8::1     DGRAM  \n2001:db8::1     RAW    \n\
                       192.0.2.7       STREAM \nfe80::1%eth0    STREAM \nnonsense\n192.0.2.7       STREAM \n";
        let shown: Vec<String> = listed(printed).iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["2001:db8::1", "192.0.2.7"]);
    }

    #[test]
    fn a_port_goes_with_every_address() {
        let found = sockets("localhost:8000", PATIENCE).unwrap();
        let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["[::1]:8000", "127.0.0.1:8000"]);
        assert_eq!(sockets("[::]:0", PATIENCE).unwrap().len(), 1);
    }
}
