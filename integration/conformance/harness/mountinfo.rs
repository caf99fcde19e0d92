//! Lines of `/proc/PID/mountinfo`: proc(5).

/// One mount.
#[derive(Debug, Clone)]
pub struct MountLine {
    /// Where it is.
    pub destination: String,
    /// Its own options.
    pub options: Vec<String>,
    /// `shared:N`, `master:N`, `unbindable`.
    pub propagation: Vec<String>,
    /// The file system's options.
    pub file_system_options: Vec<String>,
}

impl MountLine {
    /// The last mount on `destination`, which is the one to be seen.
    pub fn at(mountinfo: &str, destination: &str) -> Option<Self> {
        let mut lines = mountinfo.lines().filter_map(Self::parse);
        lines.rfind(|line| line.destination == destination)
    }

    fn parse(line: &str) -> Option<Self> {
        let (mount, file_system) = line.split_once(" - ")?;
        let fields: Vec<&str> = mount.split(' ').collect();
        let mut file_system = file_system.split(' ');
        let words = |text: &str| text.split(',').map(str::to_owned).collect();
        Some(Self {
            destination: (*fields.get(4)?).to_owned(),
            options: words(fields.get(5)?),
            propagation: fields.get(6..)?.iter().map(|&tag| tag.to_owned()).collect(),
            // Behind its type and its source.
            file_system_options: words(file_system.nth(2)?),
        })
    }

    /// Whether it has `option`: of the mount, of the file system, or a propagation without its number
    /// (`shared`, `slave`, `unbindable`; `private` where it has none).
    pub fn has(&self, option: &str) -> bool {
        let has_tag = |tag: &str| self.propagation.iter().any(|have| have.starts_with(tag));
        match option {
            "shared" => has_tag("shared:"),
            "slave" => has_tag("master:"),
            "unbindable" => has_tag("unbindable"),
            "private" => self.propagation.is_empty(),
            _ => {
                let mut all = self.options.iter().chain(&self.file_system_options);
                all.any(|have| have == option)
            }
        }
    }
}
