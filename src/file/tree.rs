//! A folder with all that is in it, as one thing: made durable, and given its name at once.

use std::fs;
#[cfg(feature = "cli")]
use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use super::connect::remove_with_sidecars;
use super::content::Kind;
#[cfg(feature = "cli")]
use super::durable::sync_file;
use super::durable::sync_folder;

/// Writes every file and folder of a tree to the disk, so that [`publish_folder`] gives its name to the whole of it.
/// A file that was marked read-only, as in a version-controlled example, becomes one that its owner may write.
#[cfg(feature = "cli")]
pub(crate) fn settle_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.is_symlink() {
            continue; // a link is its name, which is its folder's
        }
        if metadata.is_dir() {
            settle_tree(&path)?;
            continue;
        }
        if metadata.permissions().readonly() {
            fs::set_permissions(&path, writable_by_owner(&metadata))?;
        }
        // Without it, a power cut after the rename leaves the final name on torn files.
        // Opened for writing, as Windows wants it for a sync. (Not run there.)
        sync_file(&OpenOptions::new().read(true).write(true).open(&path)?)?;
    }
    sync_folder(folder)
}

#[cfg(feature = "cli")]
fn writable_by_owner(metadata: &fs::Metadata) -> fs::Permissions {
    let mut permissions = metadata.permissions();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        permissions.set_mode(permissions.mode() | 0o200);
    }
    #[cfg(not(unix))] // not run there; the attribute is all there is
    permissions.set_readonly(false);
    permissions
}

/// Writes the folders of a tree to the disk, whose files are there: their names.
pub(crate) fn settle_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            settle_folders(&entry.path())?;
        }
    }
    sync_folder(folder)
}

/// Gives a settled tree its name, and makes the name durable. False, if something with content has the name already.
pub(crate) fn publish_folder(temporary: &Path, name: &Path) -> io::Result<bool> {
    // A rename is atomic: whoever looks sees the whole folder or none. Onto a folder with content it fails.
    match fs::rename(temporary, name) {
        Ok(()) => {}
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(false);
        }
        Err(error) => return Err(error),
    }
    let parent = name.parent().filter(|parent| !parent.as_os_str().is_empty());
    sync_folder(parent.unwrap_or(Path::new(".")))?;
    Ok(true)
}

/// Removes a folder with all that is in it, if it is there.
pub(crate) fn remove_tree(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes what lies at a path and not what it leads to: a folder with all that is in it, a file with what SQLite keeps
/// beside it, a link.
pub(crate) fn remove_any(path: &Path) -> io::Result<()> {
    match Kind::at(path)? {
        None => Ok(()),
        Some(Kind::Folder) => remove_tree(path),
        Some(_) => remove_with_sidecars(path),
    }
}
