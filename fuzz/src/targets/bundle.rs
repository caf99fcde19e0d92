//! A bundle's `config.json`, from its text to a sealed spec. What doesn't begin as an object is the choices of a
//! generator of specs.

use std::fs;
use std::path::Path;

use integration::generated::{Choices, wild};
use runtime::container::Bundle;

use crate::Run;
use crate::properties::{sealing, told};

pub(super) fn make(scratch: &Path) -> Run {
    let directory = scratch.join("bundle");
    fs::create_dir_all(directory.join("rootfs")).expect("make a bundle");
    Box::new(move |input| {
        let text = match input.trim_ascii_start().first() {
            Some(b'{') => input.to_vec(),
            _ => wild(&mut Choices::of(input)).to_string().into_bytes(),
        };
        fs::write(directory.join("config.json"), text).expect("write the spec");
        match Bundle::load(&directory) {
            Err(error) => told(&error),
            Ok(bundle) => {
                let choice = input.iter().map(|byte| usize::from(*byte)).sum();
                sealing(&bundle.spec, choice);
            }
        }
    })
}
