//! `shifter-imagegw token`: tokens for sites without munge.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use super::read;
use crate::auth::{NewToken, Tokens};
use crate::configuration::USUAL_PATH;

/// Arguments of `token`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
    /// The configuration, which says where tokens are
    #[arg(long, value_name = "FILE", env = "GWCONFIG", default_value = USUAL_PATH, global = true)]
    config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a token and print it; nothing can print it again
    Add {
        /// What to call it
        name: String,
        /// Whose it is [default: its name]
        #[arg(long)]
        user: Option<String>,
        /// His uid
        #[arg(long)]
        uid: u32,
        /// His primary group
        #[arg(long)]
        gid: u32,
        /// His other groups, with commas
        #[arg(long, value_delimiter = ',')]
        groups: Vec<u32>,
        /// For reading metrics, and nothing else
        #[arg(long)]
        metrics: bool,
    },
    /// Print the names of tokens and whose they are
    List,
    /// Take a token away
    Revoke {
        /// What it is called
        name: String,
    },
}

/// Makes, lists or revokes tokens, as the gateway's user.
pub fn execute(arguments: Arguments) -> Result<ExitCode> {
    let configuration = read(&arguments.config)?;
    if nix::unistd::geteuid().is_root() {
        bail!("the tokens are the gateway's: do this as its user");
    }
    let tokens = Tokens::of(&configuration.state);
    match arguments.what {
        What::Add {
            name,
            user,
            uid,
            gid,
            groups,
            metrics,
        } => {
            let secret = tokens
                .add(NewToken {
                    user: user.unwrap_or_else(|| name.clone()),
                    name,
                    uid,
                    gid,
                    groups,
                    metrics,
                })
                .context("make a token")?;
            println!("{secret}");
        }
        What::List => {
            for token in tokens.all()? {
                let metrics = if token.metrics { " (metrics)" } else { "" };
                println!("{} {} {}{metrics}", token.name, token.user, token.uid);
            }
        }
        What::Revoke { name } => tokens.revoke(&name)?,
    }
    Ok(ExitCode::SUCCESS)
}
