//! With which inputs each target begins: what the tests of the project read, where it lies, and in `seeds/` and
//! `regressions/` what only targets have.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// From where an input comes.
enum Seed {
    /// The files of a directory of the repository whose names end so.
    Files(&'static str, &'static str),
    /// The lines of a file, each with its fields of test vectors: the first so many are inputs.
    Vectors(&'static str, usize),
    /// A file of this machine.
    Host(&'static str),
    /// Choices, so many times.
    Choices(u64),
}

use Seed::{Choices, Files, Host, Vectors};

const SEEDS: [(&str, &[Seed]); 15] = [
    (
        "bundle",
        &[Files("bundles/tests/data/promise", ".json"), Choices(40)],
    ),
    (
        "opt_server_config",
        &[
            Files("bundles/tests/data/opt_server_config", ".json"),
            Files("bundles/tests/data/opt_server_audit", ".json"),
            Files("docs/examples", ".json"),
        ],
    ),
    (
        "udi_root",
        &[
            Files("bundles/tests/data/shifter/config", ".conf"),
            Vectors("bundles/tests/data/shifter/config/lines.tsv", 1),
            Vectors("bundles/tests/data/shifter/config/modules.tsv", 1),
            Vectors("bundles/tests/data/shifter/entries.tsv", 1),
        ],
    ),
    (
        "meta",
        &[Vectors("bundles/tests/data/shifter/image/meta.tsv", 1)],
    ),
    (
        "words",
        &[
            Vectors("bundles/tests/data/shifter/volumes.tsv", 2),
            Vectors("bundles/tests/data/shifter/bytes.tsv", 1),
            Vectors("bundles/tests/data/shifter/slurm.tsv", 2),
            Vectors("bundles/tests/data/shifter/hosts.tsv", 1),
            Vectors("bundles/tests/data/shifter/groups.tsv", 2),
            Vectors("bundles/tests/data/shifter/environment-file.tsv", 1),
            Vectors("bundles/tests/data/shifter/image/descriptors.tsv", 1),
            Vectors("bundles/tests/data/shifter/image/ids.tsv", 1),
        ],
    ),
    (
        "elf",
        &[
            Host("/bin/true"),
            Host("/sbin/ldconfig"),
            Host("/usr/bin/ldd"),
        ],
    ),
    ("ld_cache", &[Files("bundles/tests/data/elf", "")]),
    (
        "seccomp",
        &[Files("bundles/tests/data", ".json"), Choices(40)],
    ),
    ("munge", &[]),
    ("layers", &[]),
    ("gateway", &[]),
    ("server", &[]),
    ("archives", &[]),
    ("cdi", &[Vectors("bundles/tests/data/shifter/cdi.tsv", 3)]),
    ("state", &[]),
];

/// The directory of the whole project.
fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The inputs with which the target of this name begins. What isn't there is left out.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    let mut inputs = vec![];
    let own = SEEDS.iter().find(|(name, _)| *name == target);
    for seed in own.map_or(&[][..], |(_, seeds)| seeds) {
        match seed {
            Files(directory, ending) => inputs.extend(files(&top().join(directory), ending)),
            Vectors(file, fields) => inputs.extend(vectors(&top().join(file), *fields)),
            Host(file) => inputs.extend(fs::read(file)),
            Choices(count) => {
                inputs.extend((0..*count).map(|seed| integration::generated::bytes(seed, 256)))
            }
        }
    }
    for kind in ["seeds", "regressions"] {
        inputs.extend(files(&top().join("fuzz").join(kind).join(target), ""));
    }
    inputs
}

/// More words than these a dictionary seldom has; libFuzzer picks from them at random.
const WORDS: usize = 600;

/// The words of those inputs that are text, as libFuzzer's dictionaries have them: it puts them elsewhere.
pub fn dictionary(target: &str) -> String {
    let inputs = of(target);
    let texts = inputs.iter().filter_map(|input| str::from_utf8(input).ok());
    let words: BTreeSet<&str> = texts
        .flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric() && !"_./:-=".contains(c)))
        .filter(|word| (2..=40).contains(&word.len()))
        .collect();
    let lines = words.iter().take(WORDS);
    lines.map(|word| format!("\"{word}\"\n")).collect()
}

fn files(directory: &Path, ending: &str) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.is_file() && path.to_string_lossy().ends_with(ending));
    paths.sort();
    paths
        .iter()
        .filter_map(|path| fs::read(path).ok())
        .collect()
}

/// Fields are written as the vectors of the tests are: `\n`, `\r`, `\t` and `\\` for what can't stand in a line.
fn vectors(file: &Path, fields: usize) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let field = |field: &str| {
        let plain = field
            .replace("\\n", "\n")
            .replace("\\r", "\r")
            .replace("\\t", "\t");
        let plain = plain.replace("\\\\", "\\");
        plain.into_bytes()
    };
    lines
        .flat_map(|line| line.split('\t').take(fields).map(field))
        .collect()
}
