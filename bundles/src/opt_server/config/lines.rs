//! On which line of the file each value stands, for whoever finds something to say about it later.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use super::json::{Document, Node};
use super::keys::TOP;

/// As deep as anything is that is worth a remark: `/commands/0/x-opt-runtime/limits/max-memory`.
const DEPTH: usize = 6;

/// Lines by JSON pointer (RFC 6901), from 1. They are looked for when the first one is asked for.
#[derive(Debug, Clone, Default)]
pub struct Lines {
    text: String,
    found: OnceLock<BTreeMap<String, usize>>,
}

impl PartialEq for Lines {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Lines {}

impl Lines {
    /// Of a text that is known to be JSON.
    pub(super) fn of(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            found: OnceLock::new(),
        }
    }

    /// The file's text, as it was read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line of the value at `pointer`, or of what is around it where it isn't in the file.
    pub fn line(&self, pointer: &str) -> usize {
        let found = self.found();
        let mut pointer = pointer;
        loop {
            match (found.get(pointer), pointer.rsplit_once('/')) {
                (Some(line), _) => return *line,
                (None, Some((above, _))) => pointer = above,
                (None, None) => return 1,
            }
        }
    }

    /// Whether there is a value at `pointer`.
    pub fn has(&self, pointer: &str) -> bool {
        self.found().contains_key(pointer)
    }

    fn found(&self) -> &BTreeMap<String, usize> {
        self.found.get_or_init(|| {
            let mut found = BTreeMap::new();
            if let Ok(document) = Document::new(self.text.as_bytes(), Path::new(""))
                && let Ok(root) = document.root()
            {
                add(&mut found, &document, root, String::new(), 0);
            }
            found
        })
    }
}

/// A key as a part of a pointer.
pub fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn add(
    found: &mut BTreeMap<String, usize>,
    document: &Document<'_>,
    node: Node<'_>,
    pointer: String,
    depth: usize,
) {
    if depth < DEPTH {
        for member in node.members().unwrap_or_default() {
            let name = escaped(&member.key);
            let below = format!("{pointer}/{name}");
            // Foreign keys hold anything.
            if depth > 0 || TOP.iter().any(|key| key.name == name) {
                add(found, document, member.value, below.clone(), depth + 1);
            }
            // The key's line: that is where people look.
            found.insert(below, document.line(member.at));
        }
        let elements = node.elements().unwrap_or_default();
        for (index, element) in elements.into_iter().enumerate() {
            add(
                found,
                document,
                element,
                format!("{pointer}/{index}"),
                depth + 1,
            );
        }
    }
    found.insert(pointer, document.line(node));
}
