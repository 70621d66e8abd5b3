//! Where the databases are: a folder on a real disk, emptied at the end, also after Ctrl-C.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex};

use rustix::fs::{Advice, fadvise, statfs, syncfs};

use crate::Fallible;
use crate::options::Options;

/// What must not outlast this process.
static LEFT: LazyLock<Mutex<Left>> = LazyLock::new(Mutex::default);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Ctrl-C ends the contenders, too. Whoever waits for one must not go on to make files while the folder is emptied.
pub fn wait_if_interrupted() {
    while INTERRUPTED.load(Ordering::SeqCst) {
        std::thread::park();
    }
}

#[derive(Default)]
struct Left {
    mounts: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

pub struct Place {
    pub root: PathBuf,
}

impl Place {
    pub fn make(options: &Options, here: &Path) -> Fallible<Place> {
        let root = match &options.dir {
            Some(dir) => dir.join("lifeboat-bench"),
            None => here.join("target/data"),
        };
        fs::create_dir_all(&root)?;
        let root = root.canonicalize()?;
        // What a killed run has left.
        unmount(&root.join("mounted"));
        if !options.keep {
            LEFT.lock().expect("no panic").folders.push(root.clone());
        }
        ctrlc::set_handler(|| {
            INTERRUPTED.store(true, Ordering::SeqCst);
            clear();
            std::process::exit(130);
        })?;
        let place = Place { root };
        if place.file_system().contains("memory") {
            eprintln!("!! the databases lie in memory: no figure of a write or a sync means anything");
        }
        Ok(place)
    }

    /// A file in a folder of its own, since some contenders put files beside it.
    pub fn file(&self, folder: &str, name: &str) -> PathBuf {
        let folder = self.root.join(folder);
        fs::create_dir_all(&folder).expect("the data folder can be written");
        folder.join(name)
    }

    pub fn remove(&self, folder: &str) {
        let _ = fs::remove_dir_all(self.root.join(folder));
    }

    pub fn file_system(&self) -> String {
        match statfs(&self.root).map(|status| status.f_type as u64) {
            Ok(0xEF53) => "ext4".to_owned(),
            Ok(0x5846_5342) => "xfs".to_owned(),
            Ok(0x9123_683E) => "btrfs".to_owned(),
            Ok(0x0102_1994) => "tmpfs, in memory".to_owned(),
            Ok(other) => format!("a file system of type {other:#x}"),
            Err(error) => error.to_string(),
        }
    }

    /// Lets what was written and removed reach the disk, so that the next run does not pay for it.
    pub fn settle(&self, folder: &Path) -> Fallible<()> {
        Ok(syncfs(File::open(folder)?)?)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        clear();
    }
}

/// A file system in a file, for as long as this value lives.
pub struct Mounted {
    pub folder: PathBuf,
    image: PathBuf,
}

impl Mounted {
    pub fn xfs(place: &Place, bytes: u64) -> Fallible<Mounted> {
        let (image, folder) = (place.root.join("mounted.img"), place.root.join("mounted"));
        fs::create_dir_all(&folder)?;
        File::create(&image)?.set_len(bytes)?;
        let mounted = Mounted { folder: folder.clone(), image: image.clone() };
        tool(Command::new("mkfs.xfs").args(["-q", "-m", "reflink=1"]).arg(&image))?;
        LEFT.lock().expect("no panic").mounts.push(folder.clone());
        tool(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&folder))?;
        Ok(mounted)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        unmount(&self.folder);
        LEFT.lock().expect("no panic").mounts.retain(|mount| *mount != self.folder);
        let _ = fs::remove_file(&self.image);
        let _ = fs::remove_dir(&self.folder);
    }
}

fn tool(command: &mut Command) -> Fallible<()> {
    let output = command.output().map_err(|error| format!("{:?}: {error}", command.get_program()))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().into()) }
}

/// The loop device goes with the mount.
fn unmount(folder: &Path) {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    if mounts.lines().any(|line| line.split(' ').nth(1).is_some_and(|at| Path::new(at) == folder))
        && tool(Command::new("umount").arg(folder)).is_err()
    {
        let _ = tool(Command::new("umount").arg("--lazy").arg(folder));
    }
}

fn clear() {
    let left = std::mem::take(&mut *LEFT.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
    left.mounts.iter().for_each(|mount| unmount(mount));
    for folder in left.folders {
        let _ = fs::remove_dir_all(folder);
    }
}

/// Takes files out of the page cache: written ones first reach the disk.
pub fn forget(paths: &[&Path]) -> Fallible<()> {
    for path in paths {
        let Ok(file) = File::open(path) else { continue };
        file.sync_all()?;
        fadvise(&file, 0, None, Advice::DontNeed)?;
    }
    Ok(())
}

/// Takes everything out of the page cache, of all processes.
pub fn forget_all() -> Fallible<()> {
    rustix::fs::sync();
    Ok(fs::write("/proc/sys/vm/drop_caches", "3")?)
}
