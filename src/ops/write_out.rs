//! A text that was made of a database, as a file.

use std::fs;
use std::path::Path;

use crate::error::Result;
use crate::file::{give_same_access, io_problem, remove_if_there, replace_file, write_beside};

/// Writes a text file whole: one that was there is replaced at once, and stays as it was where the text cannot be
/// written. A device or a pipe is written to as it is.
///
/// # Errors
/// The file cannot be written.
pub fn write_out(path: &Path, text: &str) -> Result<()> {
    let failed = |source| io_problem(path, "write", source);
    // The file behind a link, which stays a link.
    let absolute = std::path::absolute(path).map_err(failed)?;
    let real = fs::canonicalize(&absolute).unwrap_or(absolute);
    let was = fs::metadata(&real).ok();
    if was.as_ref().is_some_and(|was| !was.is_file()) || fs::symlink_metadata(&real).is_ok_and(|link| link.is_symlink())
    {
        return Ok(fs::write(path, text).map_err(failed)?);
    }
    let beside = write_beside(&real, text).map_err(failed)?;
    let done = was.map_or(Ok(()), |was| give_same_access(&was, &beside)).and_then(|()| replace_file(&beside, &real));
    if done.is_err() {
        let _ = remove_if_there(&beside);
    }
    Ok(done.map_err(failed)?)
}
