//! `shifterimg queue`

use std::process::ExitCode;

use anyhow::Result;
use runtime::telling;
use serde_json::Value;

use crate::gateway::Gateways;
use crate::site::{Options, Site};
use crate::table;

pub fn execute(options: &Options, as_json: bool) -> Result<ExitCode> {
    let site = Site::read(options)?;
    let gateways = Gateways::of(&site, options)?;
    let answer = gateways.ask("GET", &format!("/v2/systems/{}/queue", site.system), None)?;
    if as_json {
        println!("{answer:#}");
        return Ok(ExitCode::SUCCESS);
    }
    for pull in answer["pulls"].as_array().into_iter().flatten() {
        println!("{}", line(pull));
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints where the queue's page is, and what a browser that is led there has to be told. Nothing secret is in the address:
/// browsers and proxies keep those.
pub fn page(options: &Options) -> Result<ExitCode> {
    let site = Site::read(options)?;
    let gateways = Gateways::of(&site, options)?;
    let target = format!("/v2/systems/{}/queue/password", site.system);
    let answer = gateways.try_ask("POST", &target, None)?.good()?;
    let text = |key: &str| answer.body[key].as_str().unwrap_or_default();
    println!("{}{}", answer.gateway.trim_end_matches('/'), text("path"));
    println!("user: {}", text("user"));
    println!("password: {}", text("password"));
    let hours = answer.body["seconds"].as_u64().unwrap_or(0) / 3600;
    telling::say(&format!(
        "shifterimg: good for {hours} hours, and for this page only\n"
    ));
    Ok(ExitCode::SUCCESS)
}

fn line(pull: &Value) -> String {
    let text = |key: &str| pull[key].as_str().unwrap_or_default();
    let image = match pull["tag"].as_str() {
        Some(tag) => format!("{}:{tag}", text("type")),
        None => "(private)".to_owned(),
    };
    let done = match (pull["done"].as_u64(), pull["total"].as_u64()) {
        (Some(done), Some(total)) => {
            format!("{} of {}", table::bytes(done), table::bytes(total))
        }
        (Some(done), None) => table::bytes(done),
        _ => String::new(),
    };
    let time = table::time(pull["asked"].as_f64().unwrap_or(0.0));
    let line = format!(
        "{:<6} {:<11} {time} {image:<30} {done}{}",
        pull["number"],
        text("status"),
        text("message")
    );
    line.trim_end().to_owned()
}
