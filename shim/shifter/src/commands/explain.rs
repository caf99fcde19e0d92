//! `explain`: what a container would have and why, without running anything.

use std::process::ExitCode;

use anyhow::Result;
use bundles::promise;
use bundles::shifter::container::{IMAGE_CHECKED_ANNOTATION, IMAGE_MANIFEST_ANNOTATION};
use runtime::telling;

use crate::container::{self, Options};

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// As JSON
    #[arg(long)]
    json: bool,
    // Last: the command takes what follows.
    #[command(flatten)]
    pub options: Options,
}

/// What is said of the image: the annotation, and what it is called here.
const OF_IMAGE: [(&str, &str); 4] = [
    ("org.opt-runtime.shifter.image-request", "request"),
    ("org.opt-runtime.shifter.image", "identifier"),
    (IMAGE_MANIFEST_ANNOTATION, "manifest"),
    (IMAGE_CHECKED_ANNOTATION, "file"),
];

/// Prints every mount and why it is there, identity, limits, system calls and environment, and which image it is.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    let text = container::look_at(&arguments.options, |bundle| {
        let explanation = promise::explain(&bundle.spec, bundle.kind, vec![]);
        let annotations = bundle.spec.annotations().clone().unwrap_or_default();
        let of_image = OF_IMAGE.iter().filter_map(|(key, name)| {
            let value = annotations.get(*key)?;
            Some((*name, value))
        });
        if arguments.json {
            let mut explanation = serde_json::to_value(&explanation)?;
            explanation["image"] = of_image.map(|(name, value)| (name, &**value)).collect();
            return Ok(format!("{}\n", serde_json::to_string_pretty(&explanation)?));
        }
        let lines: String = of_image
            .map(|(name, value)| format!("  {name}: {value}\n"))
            .collect();
        Ok(format!("{explanation}\nimage:\n{lines}"))
    })?;
    telling::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
