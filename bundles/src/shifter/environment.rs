//! The variables of a container's command, in Shifter's order.

use super::config::{Module, SiteEnvironment};

/// Variables that the dynamic loader and the C library act upon before a program's first line, besides all that begin
/// with `LD_`: a setuid program, as Shifter is, never sees the caller's, and they name files of the host's.
const LOADERS: [&str; 15] = [
    "GCONV_PATH",
    "GETCONF_DIR",
    "GLIBC_TUNABLES",
    "HOSTALIASES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LOCALDOMAIN",
    "LOCPATH",
    "MALLOC_TRACE",
    "NIS_PATH",
    "NLSPATH",
    "RESOLV_HOST_CONF",
    "RES_OPTIONS",
    "TMPDIR",
    "TZDIR",
];

/// A variable that can't be set. One line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say it")]
pub enum EnvironmentError {
    #[error("{found:?} must be NAME=VALUE")]
    NotAnAssignment { found: String },
    #[error("{file}:{line}: {found:?} must be NAME=VALUE")]
    InFile {
        file: String,
        line: usize,
        found: String,
    },
}

/// Variables in order, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment(Vec<(String, String)>);

/// Everything that has a say. An empty value is a value: Shifter refuses or drops it.
#[derive(Debug, Clone, Default)]
pub struct Sources<'a> {
    /// The caller's own; empty where they are to be left behind.
    pub caller: &'a [(String, String)],
    /// What the image was asked for as, and its identifier.
    pub image_names: Option<(&'a str, &'a str)>,
    /// The image's.
    pub image: &'a [(String, String)],
    /// Those of a file that the user names.
    pub file: &'a [(String, String)],
    /// Those that the user names.
    pub options: &'a [(String, String)],
    /// Those that the user takes away.
    pub unset: &'a [String],
    /// Those of the devices.
    pub devices: &'a [(String, String)],
    /// Those of the modules, in this order.
    pub modules: &'a [&'a Module],
    /// The site's, which have the last word.
    pub site: Option<&'a SiteEnvironment>,
}

impl Environment {
    /// What a command gets of all that has a say.
    pub fn assemble(sources: &Sources<'_>) -> Self {
        let mut environment = Self::default();
        let callers = sources.caller.iter();
        for (name, value) in callers.filter(|(name, _)| !is_loaders(name)) {
            environment.set(name, value);
        }
        if let Some((request, id)) = sources.image_names {
            environment.set("SHIFTER_IMAGEREQUEST", request);
            environment.set("SHIFTER_IMAGE", id);
        }
        for (name, value) in [sources.image, sources.file, sources.options].concat() {
            environment.set(&name, &value);
        }
        for name in sources.unset {
            environment.unset(name);
        }
        for (name, value) in sources.devices {
            environment.set(name, value);
        }
        let modules = sources.modules.iter().map(|module| &module.environment);
        for site in modules.chain(sources.site) {
            environment.apply(site);
        }
        environment
    }

    fn apply(&mut self, site: &SiteEnvironment) {
        for (name, value) in &site.set {
            self.set(name, value);
        }
        for (name, value) in &site.append {
            let joined = match self.get(name) {
                None | Some("") => value.clone(),
                Some(there) => format!("{there}:{value}"),
            };
            self.set(name, &joined);
        }
        for (name, value) in &site.prepend {
            let joined = match self.get(name) {
                None | Some("") => value.clone(),
                Some(there) => format!("{value}:{there}"),
            };
            self.set(name, &joined);
        }
        for name in &site.unset {
            self.unset(name);
        }
    }

    fn set(&mut self, name: &str, value: &str) {
        let there = self.0.iter_mut().find(|(known, _)| known == name);
        match there {
            Some((_, old)) => value.clone_into(old),
            None => self.0.push((name.to_owned(), value.to_owned())),
        }
    }

    fn unset(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut all = self.0.iter();
        all.find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// As `NAME=VALUE`.
    pub fn entries(&self) -> Vec<String> {
        let all = self.0.iter();
        all.map(|(name, value)| format!("{name}={value}")).collect()
    }
}

fn is_loaders(name: &str) -> bool {
    name.starts_with("LD_") || LOADERS.contains(&name)
}

/// Reads `NAME=VALUE`.
///
/// # Errors
/// Where there is no `=` or nothing before it.
pub fn assignment(text: &str) -> Result<(String, String), EnvironmentError> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !text.contains('\0') => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err(EnvironmentError::NotAnAssignment {
            found: text.to_owned(),
        }),
    }
}

/// Reads a file of variables, one a line, without blanks at its ends. Empty lines and those that begin with `#` are
/// passed over; quotes are part of the value.
///
/// # Errors
/// The first line that isn't `NAME=VALUE`, with `file`'s name.
pub fn read_file(text: &str, file: &str) -> Result<Vec<(String, String)>, EnvironmentError> {
    let lines = (1..).zip(text.lines().map(str::trim));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(line, text)| {
            assignment(text).map_err(|_| EnvironmentError::InFile {
                file: file.to_owned(),
                line,
                found: text.to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shifter::Config;
    use crate::vectors::{Wrong, vectors};

    fn variables(text: &str) -> Vec<(String, String)> {
        let words = text.split_ascii_whitespace();
        words.map(|word| assignment(word).unwrap()).collect()
    }

    fn config(lines: &str) -> Config {
        let text = format!("imagePath=/i\netcPath=/e\n{lines}\n");
        Config::parse(text.as_bytes(), std::path::Path::new("udiRoot.conf")).unwrap()
    }

    #[test]
    fn a_sites_variables_are_set_added_and_taken_away() {
        let mut wrong = Wrong::default();
        for vector in vectors("shifter/environment.tsv") {
            let config = config(&vector[1].replace('|', "\n"));
            let caller = variables(&vector[0]);
            let environment = Environment::assemble(&Sources {
                caller: &caller,
                site: Some(&config.environment),
                ..Sources::default()
            });
            wrong.unless(&vector, &environment.entries().join(" "), &vector[2]);
        }
        wrong.none();
    }

    /// Who has the last word on what, from the caller to the site.
    #[test]
    fn everybody_has_a_say_in_shifters_order() {
        let site = "siteEnv=SHIFTER_RUNTIME=1 NEW_VAR=abcd\nsiteEnvAppend=PATH=/opt/udiImage/bin\n\
                    siteEnvPrepend=PATH=/sbin\nsiteEnvUnset=NEW_VAR HOSTV\n\
                    module_m_siteEnv=X=mod\nmodule_m_siteEnvPrepend=PATH=/mod/bin\n\
                    module_m_siteEnvAppend=PATH=/mod/sbin\nmodule_m_siteEnvUnset=IMG";
        let config = config(site);
        let module = config.module("m").unwrap();
        let mut wrong = Wrong::default();
        for vector in vectors("shifter/environment-order.tsv") {
            let [caller, image, file, options, unset, modules, wanted] = &vector[..] else {
                panic!("{vector:?}");
            };
            let unset: Vec<String> = unset.split_whitespace().map(str::to_owned).collect();
            let modules: Vec<_> = (modules == "m").then_some(module).into_iter().collect();
            let environment = Environment::assemble(&Sources {
                caller: &variables(caller),
                image_names: None,
                image: &variables(image),
                file: &variables(file),
                options: &variables(options),
                unset: &unset,
                devices: &[],
                modules: &modules,
                site: Some(&config.environment),
            });
            wrong.unless(&vector, &environment.entries().join(" "), wanted);
        }
        wrong.none();
    }

    #[test]
    fn what_a_setuid_program_does_not_see_stays_outside() {
        // Those of ld.so(8) in its secure mode, and who hands over sockets.
        let caller = variables(
            "LD_PRELOAD=/x LD_LIBRARY_PATH=/y LD_X=1 GCONV_PATH=/x GETCONF_DIR=/x GLIBC_TUNABLES=a HOSTALIASES=/x \
             LISTEN_FDS=1 LISTEN_PID=1 LOCALDOMAIN=x LOCPATH=/x MALLOC_TRACE=/x NIS_PATH=/x NLSPATH=/x \
             RESOLV_HOST_CONF=/x RES_OPTIONS=x TMPDIR=/z TZDIR=/x HOME=/h LDX=1",
        );
        let image = variables("LD_LIBRARY_PATH=/image SHIFTER_IMAGE=fake");
        let environment = Environment::assemble(&Sources {
            caller: &caller,
            image_names: Some(("ubuntu", "abc")),
            image: &image,
            ..Sources::default()
        });
        assert_eq!(
            environment.entries(),
            [
                "HOME=/h",
                "LDX=1",
                "SHIFTER_IMAGEREQUEST=ubuntu",
                "SHIFTER_IMAGE=fake",
                "LD_LIBRARY_PATH=/image"
            ]
        );
    }

    #[test]
    fn a_file_of_variables_is_read_as_shifter_reads_it() {
        let mut wrong = Wrong::default();
        for vector in vectors("shifter/environment-file.tsv") {
            let found = match read_file(&vector[0], "f") {
                Ok(all) => all
                    .iter()
                    .map(|(name, value)| format!("<{name}><{value}>"))
                    .collect(),
                Err(error) => error.to_string(),
            };
            wrong.unless(&vector, &found, &vector[1]);
        }
        wrong.none();
    }
}
