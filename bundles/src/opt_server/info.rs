//! What `--sandbox-info` prints.

use super::sandbox::Sandbox;
use super::{PROJECT, TEMPORARY};
use crate::exposure::{Bounds, Exposure};

impl Sandbox<'_> {
    /// One `Mount: '…'` line for each readable path, as the Opt-Server's `--sandbox-info` prints them, with the
    /// reason; below each of the host's, how much it shows.
    pub fn info(&self) -> String {
        let mut bounds = Bounds::default();
        let mut lines = vec![];
        for (path, readable) in &self.readables.mounts {
            let path = path.display();
            lines.push(format!("Mount: '{path}' read-only: {}", readable.why()));
            lines.push(shown(&Exposure::measure(&readable.source, &mut bounds)));
        }
        lines.push("Mount: '/proc' the sandbox's own processes only".to_owned());
        lines.push(
            "Mount: '/dev' null, zero, full, random, urandom, tty and a private shm".to_owned(),
        );
        for device in &self.devices {
            let path = device.path.display();
            lines.push(format!(
                "Mount: '{path}' a device of the host's: \"devices\""
            ));
        }
        for (path, writable) in &self.writables.mounts {
            lines.push(format!(
                "Mount: '{}' read-write: {}",
                path.display(),
                writable.why
            ));
            lines.push(shown(&Exposure::measure(path, &mut bounds)));
        }
        lines.push(format!(
            "Mount: '{TEMPORARY}' read-write: a temporary directory of its own"
        ));
        lines.extend(self.project.iter().map(|project| {
            let project = project.display();
            format!("Mount: '{PROJECT}' read-write: the project directory {project}")
        }));
        if let Some((_, inside)) = &self.own_config {
            let inside = inside.display();
            lines.push(format!("Mount: '{inside}' read-only: this configuration"));
        }
        let notes = self.readables.notes.iter();
        lines.extend(notes.map(|note| format!("Note: of \"dlopen\", not usable: {note}")));
        lines.join("\n") + "\n"
    }
}

impl Sandbox<'_> {
    /// What a person may want to know about what isn't there.
    pub fn notes(&self) -> &[String] {
        &self.readables.notes
    }
}

fn shown(exposure: &Exposure) -> String {
    format!("  shows {exposure}")
}
