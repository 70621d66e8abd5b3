//! A disk that is full, really: a small file system in memory, at every fill level from no room at all to plenty.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Finding;
use super::cases::Case;
use super::verdict;

/// A mounted file system; goes with its folder.
pub struct Disk(PathBuf);

impl Disk {
    /// Nothing where this process may not mount.
    pub fn mount(folder: &Path, kib: usize) -> Option<Self> {
        fs::create_dir_all(folder).ok()?;
        let size = format!("size={kib}k");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "lifeboat-test"]).arg(folder).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Disk(folder.to_owned()))
    }

    fn grow(&self, kib: usize) {
        let size = format!("remount,size={kib}k");
        assert!(Command::new("mount").args(["-o", &size]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: this process keeps a descriptor of the database on it, which only goes with the file.
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// One case on a disk with so much room beside what is there; then with enough.
pub fn try_level(case: &Case, room_kib: usize, workshop: &Path) -> Option<Finding> {
    let folder = workshop.join("full");
    let bytes: usize = case.before.0.values().flatten().map(|content| content.len().next_multiple_of(4096)).sum();
    let disk = Disk::mount(&folder, bytes / 1024 + 16 + room_kib)?;
    let data = folder.join("data");
    let message = super::look(|| {
        case.before.write_to(&data);
        let output = case.run(&data, &[]);
        // Whoever looks needs some room too, for the shared memory of a log.
        disk.grow(bytes / 1024 * 4 + 65536);
        verdict::is_true_of_the_file(case, &data, &output);
    })?;
    Some(Finding { case: case.name.clone(), what: format!("{room_kib} KiB of room"), message })
}
