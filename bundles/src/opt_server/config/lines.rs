//! On which line of the file each value stands, for whoever finds something to say about it later.

use std::collections::BTreeMap;

use super::json::{Document, Node};
use super::keys::TOP;

/// As deep as anything is that is worth a remark: `/commands/0/x-opt-runtime/limits/max-memory`.
const DEPTH: usize = 6;

/// Lines by JSON pointer (RFC 6901), from 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines(BTreeMap<String, usize>);

impl Lines {
    pub(super) fn of(document: &Document<'_>, root: Node<'_>) -> Self {
        let mut lines = Self::default();
        lines.add(document, root, String::new(), 0);
        lines
    }

    fn add(&mut self, document: &Document<'_>, node: Node<'_>, pointer: String, depth: usize) {
        if depth < DEPTH {
            for member in node.members().unwrap_or_default() {
                let name = member.key.replace('~', "~0").replace('/', "~1");
                let below = format!("{pointer}/{name}");
                // Foreign keys hold anything.
                if depth > 0 || TOP.iter().any(|key| key.name == name) {
                    self.add(document, member.value, below.clone(), depth + 1);
                }
                // The key's line: that is where people look.
                self.0.insert(below, document.line(member.at));
            }
            for (index, element) in node.elements().unwrap_or_default().into_iter().enumerate() {
                self.add(document, element, format!("{pointer}/{index}"), depth + 1);
            }
        }
        let line = document.line(node);
        self.0.insert(pointer, line);
    }

    /// The line of the value at `pointer`, or of what is around it where it isn't in the file.
    pub fn line(&self, pointer: &str) -> usize {
        let mut pointer = pointer;
        loop {
            match (self.0.get(pointer), pointer.rsplit_once('/')) {
                (Some(line), _) => return *line,
                (None, Some((above, _))) => pointer = above,
                (None, None) => return 1,
            }
        }
    }
}
