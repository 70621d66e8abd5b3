//! Hostile bytes: database files, histories and ledgers with bytes changed, cut off and put in. Nothing may panic, and a
//! file that is refused is left as it is.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use lifeboat::{Migrations, Migrator, Outcome};

use super::Finding;
use super::cases::Case;

/// One mutated file.
pub fn mutate(case: &Case, number: u64, workshop: &Path) -> Option<Finding> {
    let mut random = number.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1;
    let mut roll = move |sides: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % (sides as u64)).unwrap()
    };
    let folder = workshop.join("fuzzed");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let original = case.before.0.iter().find(|(path, _)| path.ends_with("app.db"))?.1.clone()?;
    let mut bytes = original;
    for _ in 0..=roll(6) {
        let at = if roll(3) == 0 { roll(200.min(bytes.len())) } else { roll(bytes.len()) };
        match roll(5) {
            0 => bytes.truncate(at.max(1)),
            1 => bytes[at] ^= 1 << roll(8),
            2 => bytes[at] = u8::try_from(roll(256)).unwrap(),
            3 => {
                let length = roll(64).min(bytes.len() - at);
                bytes[at..at + length].fill([0, 0xff, b'0', b'\''][roll(4)]);
            }
            _ => {
                // Texts that mean something to us: in the history, the ledger, the schema.
                let words: [&[u8]; 6] =
                    [b"refinery_schema_history", b"lifeboat_ledger", b"V1__note", b"CREATE TABLE", b"run", b"2026-"];
                let word = words[roll(6)];
                if let Some(found) = bytes.windows(word.len()).position(|window| window == word) {
                    bytes[found + roll(word.len())] ^= 1 << roll(8);
                }
            }
        }
    }
    let database = folder.join("app.db");
    fs::write(&database, &bytes).unwrap();
    let started = Instant::now();
    let message = super::look(|| {
        let migrator = Migrator::new(Migrations::from_dir(&case.mended).unwrap());
        let _ = migrator.at(&database).status();
        assert!(fs::read(&database).unwrap() == bytes, "looking changed the file");
        match migrator.at(&database).migrate() {
            Err(error) if error.outcome() == Outcome::Untouched => {
                assert!(fs::read(&database).unwrap() == bytes, "refused ({error}), and changed");
            }
            Ok(_) | Err(_) => {}
        }
        let _ = migrator.at(&database).recover();
        assert!(started.elapsed() < Duration::from_secs(60), "it took {:?}", started.elapsed());
    })?;
    Some(Finding { case: case.name.clone(), what: format!("mutation {number}"), message })
}
