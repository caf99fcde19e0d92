//! The command line in the form of Go's flag package, which is containerd's: `-name value`, `-name=value`, and two
//! dashes as good as one.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// What containerd passes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Whether every request is logged.
    pub debug: bool,
    /// Print the version and exit.
    pub version: bool,
    /// Print what this runtime is and exit.
    pub info: bool,
    /// containerd's namespace.
    pub namespace: String,
    /// The container, of a pod's shim the first.
    pub id: String,
    /// containerd's socket.
    pub address: String,
    /// The bundle, where it isn't the working directory.
    pub bundle: Option<PathBuf>,
    /// What to do.
    pub action: String,
}

impl Flags {
    /// Reads them. The first argument that isn't one is the action.
    ///
    /// # Errors
    /// A flag that isn't known, or has no value; text that isn't UTF-8.
    pub fn parse(arguments: &[OsString]) -> Result<Self> {
        let mut flags = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let text = argument
                .to_str()
                .with_context(|| format!("argument {}: not UTF-8", argument.display()))?;
            let Some(stem) = text.strip_prefix("--").or(text.strip_prefix('-')) else {
                flags.action = text.to_owned();
                break;
            };
            let (name, inline) = match stem.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (stem, None),
            };
            if let Some(switch) = flags.switch(name) {
                *switch = inline.is_none_or(|value| value != "false" && value != "0");
                continue;
            }
            let value = match inline {
                Some(value) => value,
                None => {
                    let next = arguments.next().and_then(|next| next.to_str());
                    next.with_context(|| format!("-{name}: needs a value"))?
                        .to_owned()
                }
            };
            flags.set(name, value)?;
        }
        Ok(flags)
    }

    fn switch(&mut self, name: &str) -> Option<&mut bool> {
        match name {
            "debug" => Some(&mut self.debug),
            "v" | "version" => Some(&mut self.version),
            "info" => Some(&mut self.info),
            _ => None,
        }
    }

    fn set(&mut self, name: &str, value: String) -> Result<()> {
        match name {
            "namespace" => self.namespace = value,
            "id" => self.id = value,
            "address" => self.address = value,
            "bundle" => self.bundle = Some(value.into()).filter(|path| path != &PathBuf::new()),
            // Ours are made by `start` itself, and told by nobody else.
            "socket" | "publish-binary" => {}
            _ => bail!("-{name}: no such flag"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Flags> {
        let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        Flags::parse(&arguments)
    }

    #[test]
    fn flags_are_read_as_go_reads_them() {
        let expected = Flags {
            debug: true,
            namespace: "k8s.io".into(),
            id: "one".into(),
            address: "/run/c.sock".into(),
            bundle: Some("/b".into()),
            action: "delete".into(),
            ..Flags::default()
        };
        for line in [
            "-namespace k8s.io -address /run/c.sock -publish-binary /c -id one -bundle /b -debug delete",
            "--namespace=k8s.io --address=/run/c.sock -id=one --bundle /b --debug=true delete",
        ] {
            assert_eq!(parse(line).unwrap(), expected, "{line}");
        }
        assert!(parse("-v").unwrap().version && parse("-info").unwrap().info);
        assert!(!parse("-debug=false start").unwrap().debug);
        for line in ["-nonsense x", "-id"] {
            parse(line).unwrap_err();
        }
    }
}
