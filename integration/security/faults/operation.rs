//! The commands that are tried, and what each needs before.

use integration::Tool;

use super::stage::Stage;

/// The program that traces, and makes calls fail.
pub const STRACE: &str = "/usr/bin/strace";

/// A command of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Create,
    CreateSealed,
    Start,
    Run,
    Exec,
    Kill,
    Delete,
    Bundle,
    /// The whole of `shifter --dry-run`: image mounted, bundle built, told, and taken away again.
    Shifter,
}

impl Operation {
    /// Makes what the command needs; nothing fails here.
    pub fn prepare(self, stage: &Stage) {
        match self {
            Self::Create | Self::CreateSealed | Self::Run | Self::Bundle | Self::Shifter => {}
            Self::Start => stage.create(),
            Self::Exec | Self::Kill => {
                stage.create();
                stage.runtime().args(["start", &stage.id]).expect(0);
            }
            Self::Delete => {
                stage.create();
                stage.runtime().args(["kill", &stage.id, "KILL"]).expect(0);
                stage.wait_until_stopped();
            }
        }
    }

    /// The words of a command of `opt-runtime`, after the program's options.
    fn words(self, stage: &Stage) -> Vec<String> {
        let bundle = |name: &str| stage.bench.path(name).display().to_string();
        let words: Vec<&str> = match self {
            Self::Create => return words(&["create", "--bundle", &bundle("plain"), &stage.id]),
            Self::CreateSealed => {
                return words(&["create", "--bundle", &bundle("sealed"), &stage.id]);
            }
            Self::Run => return words(&["run", "--bundle", &bundle("short"), &stage.id]),
            Self::Start => vec!["start", &stage.id],
            Self::Exec => vec!["exec", &stage.id, "true"],
            Self::Kill => vec!["kill", &stage.id, "KILL"],
            Self::Delete => vec!["delete", &stage.id],
            Self::Shifter => unreachable!("it is another program's"),
            Self::Bundle => {
                let config = stage.config.display().to_string();
                let (made, project) = (bundle("made/bundle"), bundle("project"));
                return words(&[
                    "bundle",
                    "opt-server",
                    "--output",
                    &made,
                    "--config",
                    &config,
                    "--project",
                    &project,
                    "probe",
                    "ids",
                ]);
            }
        };
        words_of(words)
    }

    /// Whether the command's own process may end with a code of its own.
    pub fn runs_a_command(self) -> bool {
        matches!(self, Self::Run | Self::Exec)
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words_of(words.to_vec())
}

fn words_of(words: Vec<&str>) -> Vec<String> {
    words.into_iter().map(str::to_owned).collect()
}

/// The command under strace, as a bystander, which a created process doesn't keep waiting.
pub fn traced(stage: &Stage, options: &[&str], operation: Operation) -> Tool {
    let options = [&["-D", "-f", "-qq"], options].concat();
    if let Some(site) = &stage.site {
        let tool = site.tool("", "1234:1234").arg("--dry-run");
        let tool = tool.args(["--image=packed", "true"]);
        return tool.within(STRACE, &options);
    }
    Tool::new(integration::opt_runtime())
        .arg("--root")
        .arg(stage.bench.root())
        .args(operation.words(stage))
        .within(STRACE, &options)
}
