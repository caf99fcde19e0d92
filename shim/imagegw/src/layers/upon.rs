//! What layers can be laid upon: a directory, or an image that is written as they come. The rules are the same.

use std::ffi::OsStr;
use std::io;

use super::error::LayerError;
use super::name::Name;
use super::time::Seconds;

/// Entries become something in here. Each name lies below directories that are made where they aren't there, and links
/// among them lead within the image.
pub(super) trait Upon {
    /// A file that is filled from its beginning to its end.
    type File;

    /// The next layer begins.
    fn begin_layer(&mut self);

    /// It has ended.
    ///
    /// # Errors
    /// [`LayerError`], as everywhere here.
    fn end_layer(&mut self) -> Result<(), LayerError>;

    /// Makes a directory, or takes the one that is there, and gives it its mode and time.
    fn directory(&mut self, name: &Name, mode: u32, time: Seconds) -> Result<(), LayerError>;

    /// Makes a file that will have so many bytes.
    fn begin_file(&mut self, name: &Name, size: u64) -> Result<Self::File, LayerError>;

    /// What is read of the archive from now on is its content, all of it and nothing else.
    fn comes_as_it_is(&mut self, _: &Self::File) {}

    /// Goes on with it.
    fn put(&mut self, file: &mut Self::File, piece: &[u8]) -> io::Result<()>;

    /// Goes on with zeros, so many.
    fn put_zeros(&mut self, file: &mut Self::File, count: u64) -> io::Result<()>;

    /// It has all its bytes.
    fn end_file(&mut self, file: Self::File, mode: u32, time: Seconds) -> io::Result<()>;

    /// Makes a symbolic link. Where it leads to is the business of who has the image as its root.
    fn link(&mut self, name: &Name, target: &[u8], time: Seconds) -> Result<(), LayerError>;

    /// Puts a hard link to `target` at `name`.
    fn hard_link(&mut self, name: &Name, target: &Name) -> Result<(), LayerError>;

    /// Takes away what is there, all of it.
    fn clear(&mut self, name: &Name) -> Result<(), LayerError>;

    /// Takes away what layers below have put beside `name`, at `hidden`.
    fn clear_below(&mut self, name: &Name, hidden: &OsStr) -> Result<(), LayerError>;

    /// Takes away what layers below have put around `name`.
    fn clear_around(&mut self, name: &Name) -> Result<(), LayerError>;
}

/// What no image has instead of its root.
pub(super) fn instead_of_root(name: &Name, what: &'static str) -> LayerError {
    LayerError::entry(&name.shown, what)
}
