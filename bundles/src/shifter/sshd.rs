//! An sshd of the user's own in a container, for ssh between the nodes of a job.
//!
//! It is the image's or the site's program, started in the container as the user before the command, and has no more
//! rights than the command: it can let nobody in but that user, and ends with the container. What it and its clients
//! read is made here but for the keys, which whoever makes the container puts in [`DIRECTORY`].

use std::path::{Path, PathBuf};

use super::container::ContainerError;
use crate::bundle::Skeleton;

/// Where the keys are, in the container: mounted, and the user's alone.
pub const DIRECTORY: &str = "/etc/udiImage/ssh";
/// The script that starts the daemon.
pub const START: &str = "/etc/udiImage/start-sshd";

/// The daemon's private key in [`DIRECTORY`]: one for all nodes of a job.
pub const HOST_KEY: &str = "host_key";
/// The user's private key there, which the daemons of the job let in.
pub const USER_KEY: &str = "id";
/// The public keys that it lets in.
pub const AUTHORIZED_KEYS: &str = "authorized_keys";
/// The public key by which clients know the daemons.
pub const KNOWN_HOSTS: &str = "known_hosts";
/// The name that the daemons of a job have there, whatever node they are on.
pub const HOST_NAME: &str = "shifter-job";

const SERVER_CONFIG: &str = "/etc/udiImage/sshd_config";
const CLIENT_CONFIG: &str = "/etc/ssh/ssh_config";

/// Shifter's.
const USUAL_PORT: u16 = 1204;

/// What a module says of an sshd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    /// The program, in the container; without it there is none.
    pub program: Option<PathBuf>,
    /// Where it listens, on each node.
    pub port: u16,
    /// The address or the name of it to listen on, in which `%n` is the node's name; without it, on all.
    pub listen: Option<String>,
}

impl Default for Daemon {
    fn default() -> Self {
        Self {
            program: None,
            port: USUAL_PORT,
            listen: None,
        }
    }
}

/// The sshd of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// What the site says of it, with a program.
    pub daemon: Daemon,
    /// This node's name.
    pub node: String,
    /// The names of the job's nodes.
    pub nodes: Vec<String>,
    /// Variables of sessions, `NAME=VALUE`.
    pub environment: Vec<String>,
    /// Where the keys are on the host.
    pub keys: PathBuf,
    /// Whether this container starts it: of several tasks on a node, one does.
    pub starts: bool,
}

impl Server {
    /// Adds what daemon and clients read, for the user of this name.
    pub(super) fn add_files(&self, layer: &mut Skeleton, user: &str) -> Result<(), ContainerError> {
        if !is_plain(user) {
            return Err(ContainerError::UserOfSshd(user.to_owned()));
        }
        for (path, text) in [
            (START, self.start()),
            (SERVER_CONFIG, self.server_config(user)),
            (CLIENT_CONFIG, self.client_config(user)),
        ] {
            layer.add_file(Path::new(path), text.into_bytes());
        }
        Ok(())
    }

    /// Ends when the daemon listens. It writes that as a line to its log, which nobody reads afterwards. Where the port
    /// is taken, another container of the user's may have one: clients know it by its key.
    fn start(&self) -> String {
        let program = self.daemon.program.as_deref().unwrap_or(Path::new(""));
        let program = program.to_string_lossy();
        let quoted = shlex::try_quote(&program).unwrap_or_default();
        let port = self.daemon.port;
        format!(
            "{quoted} -f {SERVER_CONFIG} -E /proc/self/fd/2 </dev/null 2>&1 >/dev/null | {{\n\
             \twhile IFS= read -r line; do\n\
             \t\tcase $line in\n\
             \t\t'Server listening on '*) exit 0 ;;\n\
             \t\t*'Address already in use'*)\n\
             \t\t\techo 'shifter: no sshd of this container: port {port} of the node is in use' >&2\n\
             \t\t\texit 0 ;;\n\
             \t\tesac\n\
             \t\techo \"sshd: $line\" >&2\n\
             \tdone\n\
             \texit 1\n\
             }}\n"
        )
    }

    /// Who has a key of [`AUTHORIZED_KEYS`] can run commands as the user, and nothing else. Forwarding would reach nothing
    /// that a command can't, with the host's network; but nobody needs it.
    fn server_config(&self, user: &str) -> String {
        let mut lines = vec![format!("Port {}", self.daemon.port)];
        lines.extend(
            self.address(&self.node)
                .map(|it| format!("ListenAddress {it}")),
        );
        lines.extend([
            format!("HostKey {DIRECTORY}/{HOST_KEY}"),
            format!("AuthorizedKeysFile {DIRECTORY}/{AUTHORIZED_KEYS}"),
            format!("AllowUsers {user}"),
        ]);
        let fixed = [
            "PermitRootLogin no",
            "AuthenticationMethods publickey",
            "PubkeyAuthentication yes",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "UsePAM no",
            // In a user namespace, root's directories above it are nobody's.
            "StrictModes no",
            "DisableForwarding yes",
            "PermitTunnel no",
            "PermitUserEnvironment no",
            "PidFile none",
            "PrintLastLog no",
            "PrintMotd no",
            "UseDNS no",
            "AcceptEnv *",
            "Subsystem sftp internal-sftp",
        ];
        lines.extend(fixed.map(str::to_owned));
        let variables = self.environment.iter().filter(|entry| can_be_quoted(entry));
        let variables: String = variables.map(|entry| format!(" \"{entry}\"")).collect();
        if !variables.is_empty() {
            // Of several lines the first counts.
            lines.push(format!("SetEnv{variables}"));
        }
        text("sshd's configuration", &lines)
    }

    fn client_config(&self, user: &str) -> String {
        let mut lines = vec![];
        let mut nodes: Vec<&str> = vec![];
        let local = self.daemon.listen.is_none().then_some("localhost");
        let named = [&self.node].into_iter().chain(&self.nodes);
        for node in named.map(String::as_str).chain(local) {
            if is_plain(node) && !nodes.contains(&node) {
                nodes.push(node);
            }
        }
        for node in &nodes {
            if let Some(address) = self.address(node) {
                lines.extend([format!("Host {node}"), format!("  HostName {address}")]);
            }
        }
        lines.extend([
            format!("Host {}", nodes.join(" ")),
            format!("  Port {}", self.daemon.port),
            format!("  User {user}"),
            format!("  IdentityFile {DIRECTORY}/{USER_KEY}"),
            "  IdentitiesOnly yes".to_owned(),
            format!("  HostKeyAlias {HOST_NAME}"),
            format!("  UserKnownHostsFile {DIRECTORY}/{KNOWN_HOSTS}"),
            "  GlobalKnownHostsFile /dev/null".to_owned(),
            "  StrictHostKeyChecking yes".to_owned(),
            "  UpdateHostKeys no".to_owned(),
        ]);
        text(
            "ssh's configuration: how the nodes of this job are reached",
            &lines,
        )
    }

    /// Where the daemon of this node listens, if that is said.
    fn address(&self, node: &str) -> Option<String> {
        let pattern = self.daemon.listen.as_deref()?;
        Some(pattern.replace("%n", node)).filter(|_| is_plain(node))
    }
}

fn text(what: &str, lines: &[String]) -> String {
    format!("# {what}, made by shifter.\n{}\n", lines.join("\n"))
}

/// Whether sshd and ssh read it as it is written.
fn is_plain(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !name.is_empty() && !name.starts_with('-') && name.bytes().all(is_part)
}

/// Whether sshd reads it as it is written, between quotes: there are no escapes in older ones.
fn can_be_quoted(entry: &str) -> bool {
    !entry
        .chars()
        .any(|char| char.is_control() || ['"', '\\'].contains(&char))
}

/// A `group` file without the group `tty`: sshd gives a session's terminal to it where there is one, which takes root.
pub(super) fn without_terminals_group(group: &[u8]) -> Vec<u8> {
    let lines = group.split_inclusive(|byte| *byte == b'\n');
    lines
        .filter(|line| !line.starts_with(b"tty:"))
        .flatten()
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(listen: Option<&str>) -> Server {
        Server {
            daemon: Daemon {
                program: Some("/usr/sbin/s shd".into()),
                port: 2222,
                listen: listen.map(str::to_owned),
            },
            node: "n1".to_owned(),
            nodes: ["n1", "n2", "n1", "x\nProxyCommand y", "-o"]
                .map(str::to_owned)
                .to_vec(),
            environment: ["A=b c", "B=\"", "C=\\", "D=x\ny", "PATH=/bin"]
                .map(str::to_owned)
                .to_vec(),
            keys: "/k".into(),
            starts: true,
        }
    }

    #[test]
    fn what_a_user_or_a_job_calls_itself_adds_no_line() {
        let text = server(None).client_config("u");
        assert!(
            text.contains("\nHost n1 n2 localhost\n  Port 2222\n  User u\n"),
            "{text}"
        );
        assert!(
            !text.contains("Proxy") && !text.contains("HostName"),
            "{text}"
        );
        let text = server(None).server_config("u");
        assert!(
            text.ends_with("\nSetEnv \"A=b c\" \"PATH=/bin\"\n"),
            "{text}"
        );
        assert!(!text.contains("ListenAddress"), "{text}");
        let mut layer = Skeleton::default();
        for name in ["", "a b", "a\nPort 1", "*", "-x"] {
            let error = server(None).add_files(&mut layer, name).unwrap_err();
            assert!(error.to_string().contains("sshd"), "{error}");
        }
        server(None).add_files(&mut layer, "a.b-c_1").unwrap();
    }

    #[test]
    fn a_daemon_listens_where_its_site_says_and_clients_look_there() {
        let server = server(Some("%n-fast"));
        let text = server.server_config("u");
        assert!(
            text.contains("\nPort 2222\nListenAddress n1-fast\n"),
            "{text}"
        );
        let text = server.client_config("u");
        let wanted = "\nHost n1\n  HostName n1-fast\nHost n2\n  HostName n2-fast\nHost n1 n2\n";
        assert!(text.contains(wanted), "{text}");
    }

    #[test]
    fn the_program_is_one_word() {
        let text = server(None).start();
        assert!(text.starts_with("'/usr/sbin/s shd' -f "), "{text}");
    }

    #[test]
    fn the_group_of_terminals_is_left_out() {
        let left = without_terminals_group(b"root:x:0:\ntty:x:5:\nttyx:x:6:\n");
        assert_eq!(left, b"root:x:0:\nttyx:x:6:\n");
    }
}
