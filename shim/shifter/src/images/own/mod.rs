//! A user's own image: a file that the site hasn't made.
//!
//! It is opened with the user's rights, and read by a program of the user's in a user namespace. The kernel's drivers
//! trust what they mount; a file of a user's gets to them only where the site's policy says so.

mod fuse;
mod image;
mod namespace;
mod open;
mod source;

pub use fuse::{FuseError, Served, serve};
pub use image::users_image;
pub(crate) use namespace::map_the_user;
pub use namespace::{NamespaceError, enter_namespace, join_namespace};
pub use open::{OpenError, open_as};
pub use source::meta_of_source;
