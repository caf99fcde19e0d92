//! Published attacks on container runtimes, one module each, named for the CVE; related ones share a module.
//!
//! Each test was seen to fail with its guard taken out of the code. Where runc and crun are asked too, that is the
//! control: it says what they do today. A race is run with an attacker in a loop, for a number of starts.
//!
//! Attacks on what isn't the runtime's own are held elsewhere: on terminals in `tests/terminal/hostile.rs`
//! (CVE-2025-52565, with engines), on images in `tests/shifter_images/` (a user's image that only root can read, in
//! `own.rs`; what an importer must drop, in `convert.rs`), between neighbours in `tests/neighbours.rs`.

mod attacker;
mod cve_2016_9962;
mod cve_2017_5226;
mod cve_2019_14271;
mod cve_2019_16884;
mod cve_2019_5736;
mod cve_2021_30465;
mod cve_2021_43784;
mod cve_2022_29162;
mod cve_2023_25809;
mod cve_2023_27561;
mod cve_2024_21626;
mod cve_2024_45310;
mod cve_2025_24965;
mod cve_2025_31133;
mod cve_2025_52565;
mod cve_2025_52881;
mod cve_2026_30892;
mod cve_2026_31431;
mod cve_2026_41579;
mod cve_2026_53489;
mod discovery;
mod exec_sealed;
mod faults;
mod generated;
mod hostile;
#[expect(dead_code, reason = "the tests of `shifter` use all of it")]
#[path = "../tests/shifter_run/site.rs"]
mod site;
mod specification;
