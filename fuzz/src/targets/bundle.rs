//! A bundle's `config.json`, from its text to a sealed spec. What doesn't begin as an object is the choices of a
//! generator of specs. A text is also read as what `exec` and `update` take: a process, and resources.

use std::fs;
use std::path::Path;

use integration::generated::{Choices, wild};
use runtime::container::{Bundle, parse_process, parse_resources};

use crate::Run;
use crate::properties::{sealing, told};

pub(super) fn make(scratch: &Path) -> Run {
    let directory = scratch.join("bundle");
    fs::create_dir_all(directory.join("rootfs")).expect("make a bundle");
    Box::new(move |input| {
        let text = match input.trim_ascii_start().first() {
            Some(b'{') => {
                is_told_of(input);
                input.to_vec()
            }
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

/// Whoever hands over something else learns what is wrong with it.
fn is_told_of(text: &[u8]) {
    let shown = Path::new("FILE");
    if let Err(error) = parse_process(text, shown) {
        told(&error);
    }
    if let Err(error) = parse_resources(text, shown) {
        told(&error);
    }
}
