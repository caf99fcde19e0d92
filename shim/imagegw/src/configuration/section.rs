//! An object of the configuration file, taken apart key by key. Every fault is noted, so that one reading finds them all.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use bundles::spelling::nearest;
use serde_json::{Map, Value};

/// Faults and warnings that were noted so far.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub faults: Vec<String>,
    pub warnings: Vec<String>,
}

/// An object, and what was taken from it.
#[derive(Debug)]
pub(super) struct Section {
    /// Keys that lead here, each with a dot behind it.
    path: String,
    left: Map<String, Value>,
    known: Vec<&'static str>,
    notes: Rc<RefCell<Notes>>,
}

impl Section {
    pub(super) fn top(object: Map<String, Value>, notes: Rc<RefCell<Notes>>) -> Self {
        Self {
            path: String::new(),
            left: object,
            known: vec![],
            notes,
        }
    }

    /// The keys that lead to `key`.
    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.path)
    }

    pub(super) fn fault(&self, key: &str, what: impl std::fmt::Display) {
        let line = format!("{}: {what}", self.full(key));
        self.notes.borrow_mut().faults.push(line);
    }

    pub(super) fn warn(&self, key: &str, what: impl std::fmt::Display) {
        let line = format!("{}: {what}", self.full(key));
        self.notes.borrow_mut().warnings.push(line);
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.left.remove(key).filter(|value| !value.is_null())
    }

    fn wrong(&self, key: &str, wanted: &str, found: &Value) {
        self.fault(key, format!("must be {wanted}, and is {}", kind(found)));
    }

    /// What is there has no effect here.
    pub(super) fn dead(&mut self, key: &'static str, why: &str) {
        if self.take(key).is_some() {
            self.warn(key, format!("has no effect here: {why}"));
        }
    }

    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        match self.take(key)? {
            Value::String(text) if !text.is_empty() => Some(text),
            Value::String(_) => {
                self.fault(key, "is empty");
                None
            }
            other => {
                self.wrong(key, "text", &other);
                None
            }
        }
    }

    /// One of these words.
    pub(super) fn word(
        &mut self,
        key: &'static str,
        words: &[&'static str],
    ) -> Option<&'static str> {
        let text = self.text(key)?;
        let found = words.iter().find(|word| **word == text);
        if found.is_none() {
            self.fault(key, format!("{text:?} is none of {}", words.join(", ")));
        }
        found.copied()
    }

    /// An absolute path.
    pub(super) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        let path = PathBuf::from(self.text(key)?);
        if !path.is_absolute() {
            self.fault(key, format!("{} must begin with /", path.display()));
            return None;
        }
        Some(path)
    }

    pub(super) fn switch(&mut self, key: &'static str, default: bool) -> bool {
        match self.take(key) {
            None => default,
            Some(Value::Bool(is_on)) => is_on,
            Some(other) => {
                self.wrong(key, "true or false", &other);
                default
            }
        }
    }

    /// A whole number in `range`.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        default: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> u64 {
        let Some(value) = self.take(key) else {
            return default;
        };
        match value.as_u64() {
            Some(number) if range.contains(&number) => number,
            Some(number) => {
                let (least, most) = range.into_inner();
                self.fault(
                    key,
                    format!("must be from {least} to {most}, and is {number}"),
                );
                default
            }
            None => {
                self.wrong(key, "a whole number", &value);
                default
            }
        }
    }

    /// A list of texts, and nothing that is nearly one: a name must never be found within another.
    pub(super) fn names(&mut self, key: &'static str) -> Vec<String> {
        let Some(value) = self.take(key) else {
            return vec![];
        };
        let list = value.as_array().map(|items| {
            let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
            texts.collect::<Option<Vec<String>>>()
        });
        match list.flatten() {
            Some(names) if names.iter().all(|name| !name.is_empty()) => names,
            _ => {
                self.wrong(key, "a list of names, as [\"ann\", \"bob\"]", &value);
                vec![]
            }
        }
    }

    /// Whatever it is, where the caller judges it.
    pub(super) fn any(&mut self, key: &'static str) -> Option<Value> {
        self.take(key)
    }

    pub(super) fn section(&mut self, key: &'static str) -> Option<Section> {
        match self.take(key)? {
            Value::Object(object) => Some(self.below(key, object)),
            other => {
                self.wrong(key, "an object", &other);
                None
            }
        }
    }

    /// An object of objects, by their names.
    pub(super) fn sections(&mut self, key: &'static str) -> Vec<(String, Section)> {
        let Some(section) = self.section(key) else {
            return vec![];
        };
        let mut all = vec![];
        for (name, value) in &section.left {
            match value {
                Value::Object(object) => {
                    all.push((name.clone(), section.below(name, object.clone())));
                }
                other => section.wrong(name, "an object", other),
            }
        }
        all
    }

    /// An object that was found at `key`.
    pub(super) fn below(&self, key: &str, object: Map<String, Value>) -> Section {
        Section {
            path: format!("{}.", self.full(key)),
            left: object,
            known: vec![],
            notes: Rc::clone(&self.notes),
        }
    }

    /// What nobody asked for is a fault: a misspelt key would else be a rule that doesn't hold.
    pub(super) fn finish(self) {
        for key in self.left.keys() {
            let meant = nearest(key, self.known.iter().copied());
            let hint = meant.map(|meant| format!("; did you mean {meant}?"));
            self.fault(
                key,
                format!("isn't a key that is known here{}", hint.unwrap_or_default()),
            );
        }
    }
}

fn kind(value: &Value) -> String {
    match value {
        Value::String(text) => format!("the text {text:?}"),
        Value::Number(number) => format!("the number {number}"),
        Value::Bool(is_on) => format!("{is_on}"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Null => "null".to_owned(),
    }
}
