//! What lies in a folder beside its database: walked, copied and compared, file by file. Links are copied as links and
//! never followed, so nothing outside of the folder is read or written.

use std::fs::{self, File, FileType, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use fs_extra::file::CopyOptions;

use super::durable::{allocate_exclusively, give_same_access, sync_file};

/// What an entry of a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Link,
    Folder,
    /// A socket, a pipe, a device.
    Other,
}

impl Kind {
    fn of(kind: FileType) -> Self {
        match kind {
            _ if kind.is_symlink() => Kind::Link,
            _ if kind.is_dir() => Kind::Folder,
            _ if kind.is_file() => Kind::File,
            _ => Kind::Other,
        }
    }

    /// What lies at `path` itself, whatever it leads to; nothing where nothing is.
    pub(crate) fn at(path: &Path) -> io::Result<Option<Kind>> {
        match fs::symlink_metadata(path) {
            Ok(metadata) => Ok(Some(Kind::of(metadata.file_type()))),
            // A file where a folder of the path should be is nothing at the path.
            Err(error) if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind()) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What lies at `path` in `folder`; nothing where a link on the way leads elsewhere.
pub(crate) fn kind_in(folder: &Path, path: &Path) -> io::Result<Option<Kind>> {
    let above: Vec<&Path> = path.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty()).collect();
    for parent in above.into_iter().rev() {
        if Kind::at(&folder.join(parent))? != Some(Kind::Folder) {
            return Ok(None);
        }
    }
    Kind::at(&folder.join(path))
}

/// A file, link or folder in a folder, by its path from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    pub(crate) kind: Kind,
    pub(crate) bytes: u64,
}

/// All that lies in `root`, a folder before what is in it; not what `passes` says, by its path from there.
pub(crate) fn entries(root: &Path, passes: impl Fn(&Path) -> bool) -> Result<Vec<Entry>, (PathBuf, io::Error)> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let here = root.join(&folder);
        let failed = |error| (here.clone(), error);
        for entry in fs::read_dir(&here).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = folder.join(entry.file_name());
            if passes(&path) {
                continue;
            }
            // Not followed.
            let metadata = match fs::symlink_metadata(entry.path()) {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue, // gone meanwhile
                Err(error) => return Err((entry.path(), error)),
            };
            let kind = Kind::of(metadata.file_type());
            if kind == Kind::Folder {
                folders.push(path.clone());
            }
            found.push(Entry { path, kind, bytes: if kind == Kind::File { metadata.len() } else { 0 } });
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

/// Copies a plain file to a path that is free, with its mode, owner and time, and makes its content durable. `progress` gets
/// the bytes of each part.
pub(crate) fn copy_file(from: &Path, to: &Path, mut progress: impl FnMut(u64)) -> io::Result<()> {
    let metadata = fs::metadata(from)?;
    // Ours alone until it has the original's mode.
    drop(allocate_exclusively(to)?);
    if metadata.len() > 0 {
        let mut done = 0;
        fs_extra::file::copy_with_progress(
            from,
            to,
            &CopyOptions::new().overwrite(true).buffer_size(256 * 1024),
            |now| {
                progress(now.copied_bytes - done);
                done = now.copied_bytes;
            },
        )
        .map_err(into_io)?;
    }
    let copy = fs::OpenOptions::new().read(true).write(true).open(to)?;
    if let Ok(modified) = metadata.modified() {
        let _ = copy.set_modified(modified); // for people; a file system that keeps no times is none the worse
    }
    give_same_access(&metadata, to)?;
    // Without it, a power cut after the rename leaves the final name on a torn file.
    sync_file(&copy)
}

/// Makes a link that says what `from` says, at a path that is free.
pub(crate) fn copy_link(from: &Path, to: &Path) -> io::Result<()> {
    let target = fs::read_link(from)?;
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(target, to)
    }
    #[cfg(windows)] // not run there
    {
        let is_folder = fs::metadata(from).is_ok_and(|metadata| metadata.is_dir());
        if is_folder {
            std::os::windows::fs::symlink_dir(target, to)
        } else {
            std::os::windows::fs::symlink_file(target, to)
        }
    }
}

/// Whether two paths hold the same: links that say the same, files of the same bytes, folders.
pub(crate) fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let (Some(kind), Some(kind_of_other)) = (Kind::at(one)?, Kind::at(other)?) else { return Ok(false) };
    match kind {
        _ if kind != kind_of_other => Ok(false),
        Kind::Folder => Ok(true),
        Kind::Link => Ok(fs::read_link(one)? == fs::read_link(other)?),
        Kind::File => have_same_bytes(one, other),
        Kind::Other => Ok(false),
    }
}

fn have_same_bytes(one: &Path, other: &Path) -> io::Result<bool> {
    if fs::metadata(one)?.len() != fs::metadata(other)?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    let (mut left, mut right) = (vec![0_u8; 64 * 1024], vec![0_u8; 64 * 1024]);
    loop {
        let read = one.read(&mut left)?;
        if read == 0 {
            return Ok(other.read(&mut right)? == 0);
        }
        match other.read_exact(&mut right[..read]) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            done => done?,
        }
        if left[..read] != right[..read] {
            return Ok(false);
        }
    }
}

/// Makes a new folder that nobody else may look into yet.
pub(crate) fn create_private_folder(folder: &Path) -> io::Result<()> {
    #[allow(unused_mut)]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}

/// Gives a folder the mode and owner of another; whoever owns it may still write there, or it could never be removed.
pub(crate) fn give_same_access_to_folder(like: &Metadata, folder: &Path) -> io::Result<()> {
    give_same_access(like, folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(folder)?.permissions().mode();
        if mode & 0o700 != 0o700 {
            fs::set_permissions(folder, fs::Permissions::from_mode(mode | 0o700))?;
        }
    }
    Ok(())
}

/// What fs_extra says, as the system said it.
pub(crate) fn into_io(error: fs_extra::error::Error) -> io::Error {
    match error.kind {
        fs_extra::error::ErrorKind::Io(source) => source,
        fs_extra::error::ErrorKind::NotFound => io::ErrorKind::NotFound.into(),
        fs_extra::error::ErrorKind::PermissionDenied => io::ErrorKind::PermissionDenied.into(),
        _ => io::Error::other(error.to_string()),
    }
}
