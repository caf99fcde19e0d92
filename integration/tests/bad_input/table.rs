//! Tables of changes to a JSON document: a line is `POINTER TAB VALUE TAB WHAT THE REFUSAL SAYS`.
//!
//! The pointer is RFC 6901's; its last part is set, or added to an array where it is `-`. The value is JSON.

use serde_json::Value;

/// A change, and what the refusal of the changed document must say.
pub struct Change {
    pub name: String,
    pointer: String,
    value: Value,
    pub says: String,
}

/// The changes that `table` lists.
pub fn changes(table: &str) -> Vec<Change> {
    let lines = table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let changes: Vec<Change> = lines.map(change).collect();
    assert!(!changes.is_empty());
    changes
}

fn change(line: &str) -> Change {
    let mut cells = line.split('\t').filter(|cell| !cell.is_empty());
    let (Some(pointer), Some(value), Some(says), None) =
        (cells.next(), cells.next(), cells.next(), cells.next())
    else {
        panic!("not three cells: {line}");
    };
    Change {
        name: format!("{pointer} = {value}"),
        pointer: pointer.to_owned(),
        value: serde_json::from_str(value).unwrap_or_else(|error| panic!("{error}: {line}")),
        says: says.to_owned(),
    }
}

impl Change {
    /// `document` with the change made.
    pub fn of(&self, document: &Value) -> Value {
        let mut changed = document.clone();
        let (parent, last) = self.pointer.rsplit_once('/').expect("a pointer");
        let place = changed
            .pointer_mut(parent)
            .unwrap_or_else(|| panic!("no {parent}"));
        match place {
            Value::Array(items) if last == "-" => items.push(self.value.clone()),
            place => match last.parse::<usize>() {
                Ok(index) => place[index] = self.value.clone(),
                Err(_) => place[last] = self.value.clone(),
            },
        }
        changed
    }
}
