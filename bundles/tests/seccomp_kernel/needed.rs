//! Each rule of our profiles is needed: without it a program breaks, or the list says why the rule stays.

use std::path::Path;

use bundles::seccomp::{
    Call, Decision, ENOSYS, Profile, Rule, RuleAction, compile, native_audit_arch, networked,
    opt_server, parallel, syscall_number,
};

use super::{WATCHDOG, run_under, text};

const LIST: &str = include_str!("../data/seccomp-needed.txt");

/// Set for the child: a profile's name and the number of the rule that it is to do without, or `none`.
pub const WITHOUT: &str = "OPT_SECCOMP_TEST_WITHOUT";

/// What the list has for a rule.
#[derive(Default)]
struct Entry {
    rule: &'static str,
    /// A program's script, or a call's.
    script: Option<&'static str>,
    is_call: bool,
    says: &'static str,
    stays: Option<&'static str>,
}

fn entries() -> Vec<Entry> {
    let blocks = LIST.split("\n\n").map(|block| {
        let mut entry = Entry::default();
        for line in block.lines().filter(|line| !line.starts_with('#')) {
            let (key, value) = line.split_once(' ').expect("a key and a value");
            match key {
                "rule" => entry.rule = value,
                "run" => entry.script = Some(value),
                "call" => (entry.script, entry.is_call) = (Some(value), true),
                "says" => entry.says = value.trim_end(),
                "stays" => entry.stays = Some(value),
                other => panic!("{other}: {line}"),
            }
        }
        entry
    });
    blocks.filter(|entry| !entry.rule.is_empty()).collect()
}

/// How the list calls a rule.
fn title(rule: &Rule) -> String {
    let action = match rule.action {
        RuleAction::Allow => "allow",
        RuleAction::Errno(_) => "refuse",
    };
    format!("{action} {}: {}", rule.names[0], rule.reason)
}

/// Whether it only says what the default says.
fn says_the_default(rule: &Rule) -> bool {
    rule.action == RuleAction::Errno(ENOSYS) && rule.args.is_empty()
}

/// The rules that need an entry, each with its profile and its number there.
fn rules() -> Vec<(&'static Profile, usize, &'static Rule)> {
    let of = |profile: &'static Profile| {
        let numbered = profile.rules.iter().enumerate();
        numbered.map(move |(number, rule)| (profile, number, rule))
    };
    let mut all: Vec<_> = of(opt_server()).collect();
    for profile in [networked(), parallel()] {
        let own: Vec<_> = of(profile)
            .filter(|(_, _, rule)| all.iter().all(|(_, _, other)| title(other) != title(rule)))
            .collect();
        all.extend(own);
    }
    all.retain(|(_, _, rule)| !says_the_default(rule));
    all
}

/// The profile that `$OPT_SECCOMP_TEST_WITHOUT` asks for.
pub fn weakened() -> Option<Profile> {
    let asked = std::env::var(WITHOUT).ok()?;
    let (name, number) = asked.split_once(' ').expect("a profile and a rule");
    let profiles = [opt_server(), networked(), parallel()];
    let mut profile = (*profiles.iter().find(|one| one.name == name)?).clone();
    if let Ok(number) = number.parse() {
        profile.rules.remove(number);
    }
    Some(profile)
}

#[test]
fn each_rule_is_in_the_list_once() {
    let entries = entries();
    let mut wrong = vec![];
    for (_, _, rule) in rules() {
        let count = entries.iter().filter(|one| one.rule == title(rule)).count();
        if count != 1 {
            wrong.push(format!("{count} entries of: {}", title(rule)));
        }
    }
    for entry in &entries {
        if !rules().iter().any(|(_, _, rule)| title(rule) == entry.rule) {
            wrong.push(format!("no such rule: {}", entry.rule));
        }
        let is_told = entry.stays.is_some_and(|why| why.len() > 20);
        let is_shown = entry.script.is_some() && !entry.says.is_empty();
        if !(is_shown && !entry.is_call || is_told) {
            wrong.push(format!("neither a program nor a reason: {}", entry.rule));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_rule_of_enosys_changes_no_decision() {
    let whole = compile(&opt_server().to_oci()).expect("our own profile");
    for (number, rule) in opt_server().rules.iter().enumerate() {
        if !says_the_default(rule) {
            continue;
        }
        let mut profile = opt_server().clone();
        profile.rules.remove(number);
        let without = compile(&profile.to_oci()).expect("a profile");
        for name in rule
            .names
            .iter()
            .filter(|name| syscall_number(name).is_some())
        {
            let call = Call {
                arch: native_audit_arch().expect("filters"),
                nr: u32::try_from(syscall_number(name).expect("a number")).expect("a number"),
                args: [0; 6],
            };
            assert_eq!(whole.decide(&call), Decision::Errno(38), "{name}");
            assert_eq!(without.decide(&call), Decision::Errno(38), "{name}");
        }
    }
}

/// The script with the calls' numbers in it.
fn with_numbers(script: &str) -> String {
    let mut pieces = script.split('%');
    let mut whole = pieces.next().unwrap_or_default().to_owned();
    while let (Some(name), Some(rest)) = (pieces.next(), pieces.next()) {
        let number = syscall_number(name).unwrap_or_else(|| panic!("{name}: no such call"));
        whole += &number.to_string();
        whole += rest;
    }
    whole
}

/// Whether the script does its work under the profile without that rule, within so many seconds, and what it printed.
fn works(entry: &Entry, asked: &str, limit: &str) -> (bool, String) {
    let script = entry.script.unwrap_or_default();
    let script = if entry.is_call {
        with_numbers(script)
    } else {
        script.to_owned()
    };
    let place = tempfile::tempdir().expect("a directory");
    let output = run_under(&format!("sh:{script}"), asked, place.path(), limit);
    let printed = String::from_utf8_lossy(&output.stdout);
    (printed.contains(entry.says), text(&output))
}

#[test]
#[cfg(target_arch = "x86_64")]
fn without_a_rule_a_program_breaks() {
    let entries = entries();
    let (mut wrong, mut programs, mut calls, mut kept) = (vec![], 0, 0, 0);
    for (profile, number, rule) in rules() {
        let title = title(rule);
        let Some(entry) = entries.iter().find(|one| one.rule == title) else {
            continue;
        };
        let Some(script) = entry.script else {
            kept += 1;
            println!("stays   {title}");
            continue;
        };
        let absent = ["perl", "python3", "strace", "busybox"]
            .into_iter()
            .find(|program| {
                script.starts_with(program) && !Path::new("/usr/bin").join(program).exists()
            });
        if let Some(program) = absent {
            println!("skipped: no {program}: {title}");
            continue;
        }
        let (whole, printed) = works(entry, &format!("{} none", profile.name), WATCHDOG);
        if !whole {
            wrong.push(format!("{title}: with all rules: {printed}"));
        }
        // Not every program ends that can't go on: one without exit(2) doesn't.
        let (still, printed) = works(entry, &format!("{} {number}", profile.name), "10");
        if still {
            wrong.push(format!("{title}: nothing breaks without it: {printed}"));
        }
        *if entry.is_call {
            &mut calls
        } else {
            &mut programs
        } += 1;
        println!("breaks  {title}");
    }
    println!("{programs} rules break a program, {calls} a call, {kept} stay for a reason");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
