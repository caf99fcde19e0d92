//! One module a target.

mod archives;
mod bundle;
mod cdi;
mod elf;
mod gateway;
mod layers;
mod ld_cache;
mod meta;
mod munge;
mod opt_server_config;
mod requests;
mod seccomp;
mod server;
mod state;
mod udi_root;
mod words;

use crate::Make;

/// One kind of input.
#[derive(Debug)]
pub struct Target {
    /// As `hack/fuzz` calls it.
    pub name: &'static str,
    /// It gets one part of so many of the time: small ones are soon through.
    pub one_in: u32,
    /// Makes what takes the inputs.
    pub make: Make,
}

/// All of them. `seeds.tsv` says with which inputs each begins.
pub static TARGETS: [Target; 15] = [
    Target {
        name: "bundle",
        one_in: 1,
        make: bundle::make,
    },
    Target {
        name: "opt_server_config",
        one_in: 1,
        make: opt_server_config::make,
    },
    Target {
        name: "udi_root",
        one_in: 1,
        make: udi_root::make,
    },
    Target {
        name: "meta",
        one_in: 1,
        make: meta::make,
    },
    Target {
        name: "words",
        one_in: 1,
        make: words::make,
    },
    Target {
        name: "elf",
        one_in: 1,
        make: elf::make,
    },
    Target {
        name: "ld_cache",
        one_in: 1,
        make: ld_cache::make,
    },
    Target {
        name: "seccomp",
        one_in: 1,
        make: seccomp::make,
    },
    Target {
        name: "munge",
        one_in: 1,
        make: munge::make,
    },
    Target {
        name: "layers",
        one_in: 1,
        make: layers::make,
    },
    Target {
        name: "gateway",
        one_in: 1,
        make: gateway::make,
    },
    Target {
        name: "server",
        one_in: 1,
        make: server::make,
    },
    Target {
        name: "archives",
        one_in: 3,
        make: archives::make,
    },
    Target {
        name: "cdi",
        one_in: 3,
        make: cdi::make,
    },
    Target {
        name: "state",
        one_in: 3,
        make: state::make,
    },
];

/// The one of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
