//! How long a sealed bundle takes to make: planned, written and checked, again and again in one process, as a server does.
//!
//!   building CONFIG PROJECT ROUNDS NAME [ARGUMENT]…
//!
//! Prints JSON: how many mounts the bundle has, and the milliseconds of each round. `hack/bench` reads that.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bundles::bundle;
use bundles::elf::Resolver;
use bundles::opt_server::config::{Config, Limits};
use bundles::opt_server::{Identity, Request, Sandbox};
use bundles::promise::{Kind, check};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [config, project, rounds, name, arguments @ ..] = words.as_slice() else {
        return Err("building CONFIG PROJECT ROUNDS NAME [ARGUMENT]…".into());
    };
    let config = Config::load(Path::new(config))?;
    let request = Request {
        config: &config,
        command: config.command(name)?,
        arguments,
        project: PathBuf::from(project),
        identity: Identity::for_caller((0, 0), 0, Path::new(project))?,
        limits: Limits::default(),
    };
    // A server reads it once.
    let resolver = Resolver::host()?;
    let place = PathBuf::from(project).with_extension("bundle");
    let mut took = Vec::new();
    let mut mounts = 0;
    for _ in 0..rounds.parse()? {
        let began = Instant::now();
        mounts = build(request.clone(), &resolver, &place)?;
        took.push(began.elapsed().as_secs_f64() * 1000.0);
        std::fs::remove_dir_all(&place)?;
    }
    println!(
        "{}",
        serde_json::json!({ "mounts": mounts, "milliseconds": took })
    );
    Ok(())
}

/// One bundle in `place`; how many mounts it has.
fn build(request: Request<'_>, resolver: &Resolver, place: &Path) -> Result<usize, Box<dyn Error>> {
    let sandbox = Sandbox::plan(request, resolver)?;
    let spec = sandbox.spec();
    bundle::write(place, &spec, &sandbox.skeleton())?;
    let report = check(&spec, Kind::OptServer);
    if !report.is_kept() {
        return Err(report.summary().into());
    }
    Ok(spec.mounts().as_ref().map_or(0, Vec::len))
}
