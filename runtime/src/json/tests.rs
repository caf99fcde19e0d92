//! What is told of texts with something wrong.

use std::collections::BTreeMap;

use oci_spec::runtime::{Process, Spec};

use super::limits::{DEEPEST, refuse_nul};
use super::*;

fn process(text: &str) -> String {
    parse::<Process>(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn the_key_what_is_expected_and_the_place_are_told() {
    let user = "\"cwd\": \"/\", \"user\": { \"uid\": 0, \"gid\": 0 }";
    for (text, says) in [
        (
            format!(
                "{{ {user},\n  \"rlimits\": [{{ \"type\": \"RLIMIT_CPU\", \"soft\": 1, \"hard\": \"7\" }}] }}"
            ),
            "rlimits[0].hard: expected an integer, found a string, at line 2, column 58",
        ),
        (
            format!("{{ {user}, \"rlimits\": {{}} }}"),
            "rlimits: expected an array, found an object, at line 1, column 58",
        ),
        (
            "{ \"cwd\": \"/\", \"user\": { \"uid\": -1, \"gid\": 0 } }".to_owned(),
            "user.uid: expected an integer from 0 to 4294967295, found -1, at line 1, column 32",
        ),
        (
            "{ \"cwd\": \"/\", \"user\": { \"uid\": 1.5, \"gid\": 0 } }".to_owned(),
            "user.uid: expected an integer, found 1.5, at line 1, column 32",
        ),
        (
            "{ \"cwd\": \"/\", \"cwd\": \"/\" }".to_owned(),
            "cwd: it is there twice, at line 1, column 1",
        ),
        (
            format!("{{ {user}, \"terminal\": \"yes\" }}"),
            "terminal: expected true or false, found a string, at line 1, column 59",
        ),
        (
            "[]".to_owned(),
            "expected an object, found an array, at line 1, column 1",
        ),
        (
            "7".to_owned(),
            "expected an object, found 7, at line 1, column 1",
        ),
    ] {
        assert_eq!(process(&text), says, "{text}");
    }
}

#[test]
fn a_missing_key_is_told_at_what_lacks_it() {
    let text = "{ \"ociVersion\": \"1.0.2\", \"mounts\": [{ \"destination\": \"/a\" },\n  { \"type\": \"tmpfs\" }] }";
    let error = parse::<Spec>(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(
        error,
        "mounts[1].destination: it is missing, at line 2, column 3"
    );
}

#[test]
fn variants_are_listed() {
    let text = r#"{ "ociVersion": "1.0.0", "linux": { "namespaces": [{ "type": "pid" }, { "type": "pdi" }] } }"#;
    let error = parse::<Spec>(text.as_bytes()).unwrap_err().to_string();
    assert!(
        error.starts_with("linux.namespaces[1].type: expected one of \"mount\","),
        "{error}"
    );
    assert!(error.contains("; found \"pdi\", at line 1"), "{error}");
}

#[test]
fn what_is_no_json_is_told_by_its_place() {
    for (text, says) in [
        (String::new(), "the file is empty, at line 1, column 0"),
        (
            "{\n\"cwd\" 1".to_owned(),
            "not JSON: expected `:`, at line 2, column 7",
        ),
        (
            "{} x".to_owned(),
            "not JSON: trailing characters, at line 1, column 4",
        ),
        (
            "\u{feff}{}".to_owned(),
            "not JSON: expected value, at line 1, column 1",
        ),
    ] {
        assert_eq!(
            parse::<BTreeMap<String, serde_json::Value>>(text.as_bytes())
                .unwrap_err()
                .to_string(),
            says
        );
    }
}

#[test]
fn depth_is_limited_also_in_what_is_ignored() {
    let text = |levels: usize| format!("{{\n\"[[\\\"[\": {}1", "[".repeat(levels));
    assert_eq!(check(text(DEEPEST - 1).as_bytes()), Ok(()));
    let fault = check(text(DEEPEST).as_bytes()).unwrap_err().to_string();
    assert_eq!(
        fault,
        "nested more than 127 levels deep, at line 2, column 136"
    );
    let wide = format!("[{}1]", "[1],".repeat(1000));
    assert_eq!(check(wide.as_bytes()), Ok(()));
}

#[test]
fn a_string_with_nul_is_told_by_its_key() {
    for (text, says) in [
        (
            r#"{ "a": [1, "b\u0000"] }"#,
            Some("a[1]: it holds NUL, at line 1, column 12"),
        ),
        (
            r#"{ "a": { "b\u0000": 1 } }"#,
            Some("a: it holds NUL, at line 1, column 8"),
        ),
        // Beside what is read over where nobody asks for it, but can't be kept.
        (
            r#"{ "x": 1e999, "a": "b\u0000" }"#,
            Some("not JSON: number out of range, at line 1, column 12"),
        ),
        (
            r#"{ "x": "\ud800", "a": "b\u0000" }"#,
            Some("not JSON: unexpected end of hex escape, at line 1, column 15"),
        ),
        (r#"{ "a": "\\u0000" }"#, None),
        (r#"{ "a": "\u0000""#, None),
    ] {
        let fault = refuse_nul(text.as_bytes())
            .err()
            .map(|fault| fault.to_string());
        assert_eq!(fault.as_deref(), says, "{text}");
    }
}

#[test]
fn nothing_of_the_text_makes_a_message_long_or_more_than_a_line() {
    let long = "\\n\\u001b".repeat(10_000);
    for text in [
        format!("{{ \"cwd\": 1, \"args\": \"{long}\" }}"),
        format!("{{ \"ioPriority\": {{ \"class\": \"{long}\", \"priority\": 1 }} }}"),
    ] {
        let message = process(&text);
        assert!(
            message.len() < 1500 && !message.contains(char::is_control),
            "{message}"
        );
    }
}
