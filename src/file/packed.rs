//! Compressing a copy where it lies, and reading it again.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::durable::{allocate_exclusively, publish, remove_if_there, sync_file};
use super::hash::MAGIC;

/// zstd's own default: several hundred MB a second, and a database at half its size or less.
const LEVEL: i32 = 3;

/// Puts `packed` in the place of `plain`. At every moment one of the two is whole and durable, and where both are there,
/// the plain one is. `go_on` may stop it by an error; then the plain one is as it was.
pub(crate) fn pack_in_place(
    plain: &Path,
    partial: &Path,
    packed: &Path,
    go_on: impl Fn() -> io::Result<()>,
) -> io::Result<()> {
    let packed_now = pack(plain, partial, &go_on).and_then(|hash| {
        // Read again from the file: what cannot be read is no copy.
        if hash_of_packed(partial, &go_on)? == hash { Ok(()) } else { Err(changed()) }
    });
    // The name only for a file that is on the disk (`pack` synced it), and durable itself before the plain one goes: a
    // power cut would else leave neither.
    if let Err(error) = packed_now.and_then(|()| publish(partial, packed)) {
        let _ = remove_if_there(partial);
        return Err(error);
    }
    // Not synced: a power cut brings the plain one back, and the next rotation finds both.
    remove_if_there(plain)
}

fn pack(plain: &Path, partial: &Path, go_on: &impl Fn() -> io::Result<()>) -> io::Result<[u8; 32]> {
    remove_if_there(partial)?; // what a killed process left
    let mut source = File::open(plain)?;
    let metadata = source.metadata()?;
    let mut encoder = zstd::Encoder::new(allocate_exclusively(partial)?, LEVEL)?;
    encoder.include_checksum(true)?; // so that `zstd -t` knows too whether it is whole
    encoder.set_pledged_src_size(Some(metadata.len()))?;
    let mut hasher = Sha256::new();
    pour(&mut source, go_on, |bytes| {
        hasher.update(bytes);
        encoder.write_all(bytes)
    })?;
    let file = encoder.finish()?;
    super::durable::give_same_access(&metadata, partial)?;
    // Content before name: see `sync_file`.
    sync_file(&file)?;
    Ok(hasher.finalize().into())
}

fn hash_of_packed(packed: &Path, go_on: &impl Fn() -> io::Result<()>) -> io::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    pour(&mut zstd::Decoder::new(File::open(packed)?)?, go_on, |bytes| {
        hasher.update(bytes);
        Ok(())
    })?;
    Ok(hasher.finalize().into())
}

/// Whether a compressed copy can be read, and begins as a database does. Nothing is written.
pub(crate) fn starts_as_database(packed: &Path) -> io::Result<bool> {
    let mut start = [0_u8; MAGIC.len()];
    zstd::Decoder::new(File::open(packed)?)?.read_exact(&mut start)?;
    Ok(start == *MAGIC)
}

/// Writes the plain form of `packed` to `plain`, which must not be there, and which is as private as a file can be. Not
/// synced: it is looked at, and goes. More than `at_most` bytes are none of ours.
pub(crate) fn unpack(
    packed: &Path,
    plain: &Path,
    at_most: Option<u64>,
    go_on: impl Fn() -> io::Result<()>,
) -> io::Result<()> {
    let mut decoder = zstd::Decoder::new(File::open(packed)?)?;
    let mut file = allocate_exclusively(plain)?;
    let mut written = 0_u64;
    let done = pour(&mut decoder, &go_on, |bytes| {
        written += bytes.len() as u64;
        if at_most.is_some_and(|most| written > most) {
            return Err(io::Error::other("it is longer than it was when it was taken"));
        }
        file.write_all(bytes)
    });
    drop(file);
    if done.is_err() {
        let _ = fs::remove_file(plain);
    }
    done
}

fn pour(
    source: &mut impl Read,
    go_on: &impl Fn() -> io::Result<()>,
    mut sink: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = vec![0_u8; 256 * 1024];
    loop {
        go_on()?;
        match source.read(&mut buffer)? {
            0 => return Ok(()),
            read => sink(buffer.get(..read).unwrap_or_default())?,
        }
    }
}

fn changed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "what was written reads otherwise")
}
