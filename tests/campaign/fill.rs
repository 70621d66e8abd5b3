//! A disk that is full, really: a small file system in memory, at every fill level from no room at all to plenty.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::Finding;
use super::cases::Case;
use super::picture::content;

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
        let _ = Command::new("umount").arg(&self.0).status();
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
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let json: Value =
            serde_json::from_str(&text).unwrap_or_else(|_| panic!("{:?} without a document", output.status));
        let outcome = json["outcome"].as_str().or(json["error"]["outcome"].as_str()).unwrap_or("none").to_owned();
        // Whoever looks needs some room too, for the shared memory of a log.
        disk.grow(bytes / 1024 + 65536);
        match (outcome.as_str(), output.status.code()) {
            ("migrated" | "created", Some(0)) => {
                assert!(content(&data.join("app.db")) == case.new, "said to be {outcome}");
            }
            ("untouched", Some(1)) => assert!(content(&data.join("app.db")) == case.untouched, "untouched: {text}"),
            ("rolled-back", Some(1)) | ("restored", Some(4)) => {
                assert!(content(&data.join("app.db")) == case.old, "said to be {outcome}: {text}");
            }
            ("needs-recovery", Some(5)) => {}
            other => panic!("{other:?}: {text}"),
        }
        case.next_launch(&data).unwrap_or_else(|error| panic!("with room, the next launch fails: {error:?}"));
        assert!(content(&data.join("app.db")) == case.new, "with room, the next launch did not end in the new state");
    })?;
    Some(Finding { case: case.name.clone(), what: format!("{room_kib} KiB of room"), message })
}
