//! Findings as SARIF 2.1.0 (OASIS), the interchange format for static analysis.

use std::path::Path;

use serde_json::{Value, json};

use super::{Audit, Finding, RULES};

/// The log of one run.
pub(super) fn log(audit: &Audit) -> Value {
    let rules: Vec<Value> = RULES
        .iter()
        .map(|rule| {
            json!({
                "id": rule.id,
                "shortDescription": { "text": rule.title },
                "fullDescription": { "text": format!("{}: {}.", rule.title, rule.why) },
                "properties": { "practice": rule.practice },
            })
        })
        .collect();
    let results: Vec<Value> = audit.findings.iter().map(result).collect();
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "opt-server audit",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(finding: &Finding) -> Value {
    let whose = match &finding.command {
        Some(command) => format!("Command \"{command}\": "),
        None => String::new(),
    };
    json!({
        "ruleId": finding.rule,
        "ruleIndex": RULES.iter().position(|rule| rule.id == finding.rule),
        "level": finding.level,
        "message": { "text": format!("{whose}{}. Fix: {}", finding.message, finding.fix) },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": uri(&finding.file) },
                "region": { "startLine": finding.line },
            },
        }],
    })
}

/// A path as a URI reference (RFC 3986): what isn't unreserved is escaped.
fn uri(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;

    let mut uri = String::from(if path.is_absolute() { "file://" } else { "" });
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}
