//! What each of these programs does first, whoever calls it and with whatever that hands down.

use crate::container::{Error, Result, make_descriptors_sane};
use crate::set_id;
use crate::sys::keep_ends_of_children;

/// Refuses rights that the caller hasn't, has the ends of children kept, and leaves the standard descriptors and the
/// `preserved` ones from 3 on. Before anything is opened: a file could become one of those.
///
/// # Errors
/// [`Error::SetId`]; where the kernel refuses; where a descriptor to preserve isn't open.
pub fn take(preserved: u16) -> Result<()> {
    set_id::refuse()?;
    keep_ends_of_children().map_err(Error::step("keep the ends of children"))?;
    make_descriptors_sane(preserved)
}
