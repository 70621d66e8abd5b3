//! Hostile bytes: database files, histories and ledgers, what lies beside the backups and the configuration, with bytes
//! changed, cut off and put in. Nothing may panic, and a file that is refused is left as it is.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use lifeboat::{ErrorKind, Migrations, Migrator, Outcome};
use rusqlite::Connection;

use super::Finding;
use super::cases::Case;
use super::disk::State;
use super::picture::content;

/// A sequence of numbers from a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (sides.max(1) as u64)).unwrap()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())]
    }
}

/// One mutated thing. Most are database files; of twenty, three are tables of ours in them, three lie beside a backup, and
/// one is a configuration, for which the command must be started.
pub fn mutate(case: &Case, number: u64, workshop: &Path) -> Option<Finding> {
    let mut dice = Dice(number.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1);
    let folder = workshop.join("fuzzed");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let (what, message) = match number % 20 {
        0..3 => ("tables", super::look(|| tables(case, &mut dice, &folder))),
        3..6 => ("beside a backup", super::look(|| beside_a_backup(case, &mut dice, &folder))),
        6 => ("configuration", super::look(|| configuration(case, &mut dice, &folder))),
        _ => ("file", super::look(|| file(case, &mut dice, &folder))),
    };
    Some(Finding { case: case.name.clone(), what: format!("mutation {number} ({what})"), message: message? })
}

fn file(case: &Case, dice: &mut Dice, folder: &Path) {
    let original = case.before.0.iter().find(|(path, _)| path.ends_with("app.db"));
    let Some((_, Some(original))) = original else { return };
    let mut bytes = original.clone();
    let mut roll = |sides: usize| dice.roll(sides);
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
    survives(case, &database, &bytes);
}

/// Whatever lifeboat is asked about the file.
fn survives(case: &Case, database: &Path, bytes: &[u8]) {
    let started = Instant::now();
    let migrator = Migrator::new(Migrations::from_dir(&case.mended).unwrap());
    let _ = migrator.at(database).status();
    assert!(fs::read(database).unwrap() == bytes, "looking changed the file");
    match migrator.at(database).migrate() {
        Err(error) if error.outcome() == Outcome::Untouched => {
            assert!(fs::read(database).unwrap() == bytes, "refused ({error}), and changed");
        }
        Ok(_) | Err(_) => {}
    }
    let _ = migrator.at(database).recover();
    assert!(started.elapsed() < Duration::from_secs(60), "it took {:?}", started.elapsed());
}

/// A sound file whose history and ledger say anything.
fn tables(case: &Case, dice: &mut Dice, folder: &Path) {
    case.before.write_to(folder);
    let database = folder.join("app.db");
    if !database.exists() {
        return;
    }
    let connection = Connection::open(&database).unwrap();
    connection.execute_batch("PRAGMA journal_mode = DELETE").unwrap();
    for _ in 0..=dice.roll(4) {
        let table = dice.pick(&["refinery_schema_history", "lifeboat_ledger"]);
        // An earlier mutation may have dropped it.
        let Ok(statement) = connection.prepare(&format!("SELECT * FROM {table}")) else { continue };
        let names: Vec<String> = statement.column_names().map(ToOwned::to_owned).collect();
        drop(statement);
        let column = &names[dice.roll(names.len())];
        let value = dice.pick(&[
            "NULL",
            "-1",
            "0",
            "1",
            "2",
            "9223372036854775807",
            "1e308",
            "''",
            "'x'",
            "'run'",
            "'../../app.db'",
            "x'ff00fe'",
            "zeroblob(100000)",
            "'2026-01-15T14:30:00Z'",
            "CAST(x'ff00fe' AS TEXT)",
            "random()",
            "'V2__rebuild'",
        ]);
        let statement = match dice.roll(8) {
            0 => format!("DELETE FROM {table} WHERE rowid = (SELECT max(rowid) FROM {table})"),
            1 => format!("INSERT INTO {table} SELECT * FROM {table}"),
            2 => format!("ALTER TABLE {table} RENAME COLUMN \"{column}\" TO other"),
            3 => format!("ALTER TABLE {table} DROP COLUMN \"{column}\""),
            4 if dice.roll(4) == 0 => format!("DROP TABLE {table}"),
            _ => format!("UPDATE {table} SET \"{column}\" = {value}"),
        };
        // A constraint may stand in the way.
        let _ = connection.execute_batch(&statement);
    }
    drop(connection);
    let bytes = fs::read(&database).unwrap();
    survives(case, &database, &bytes);
}

/// A real backup, with other bytes in its description, in the log of runs or under other names.
fn beside_a_backup(case: &Case, dice: &mut Dice, folder: &Path) {
    let data = folder.join("data");
    case.before.write_to(&data);
    let (database, backups) = (data.join("app.db"), data.join("backups"));
    case.next_launch(&data).unwrap();
    // The files as they were, with what that launch has left in the folder of the backups.
    for (path, content) in &case.before.0 {
        if let Some(content) = content {
            fs::write(data.join(path), content).unwrap();
        }
    }
    let mut descriptions = Vec::new();
    for entry in fs::read_dir(&backups).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension != "db") {
            descriptions.push(path);
        }
    }
    for path in &descriptions {
        let mut bytes = fs::read(path).unwrap();
        for _ in 0..=dice.roll(8) {
            let at = dice.roll(bytes.len());
            match dice.roll(6) {
                0 => bytes.truncate(at),
                1 if at < bytes.len() => bytes[at] ^= 1 << dice.roll(8),
                2 if at < bytes.len() => bytes[at] = dice.pick(b"\"{}[]:,-9e\\\0\xff"),
                3 => drop(bytes.splice(at..at, *b"9999999999999999999999")),
                4 => drop(bytes.splice(at..at, *b"../../../")),
                _ => bytes.extend_from_within(at..),
            }
        }
        fs::write(path, bytes).unwrap();
    }
    fs::write(folder.join("foreign.db"), b"not ours").unwrap();
    let migrator = Migrator::new(Migrations::from_dir(&case.mended).unwrap()).backups(&backups, 1);
    // A run that was cut off needs its copy, which is known by its hash and not by what lies beside it.
    migrator.at(&database).migrate().unwrap();
    assert!(content(&database) == case.new, "what lies beside a backup changed what a launch does");
    assert!(fs::read(folder.join("foreign.db")).unwrap() == b"not ours", "a foreign file was touched");
    if case.old != super::picture::Content::absent() {
        let good = |entry: fs::DirEntry| entry.path().extension().is_some_and(|extension| extension == "db");
        assert!(fs::read_dir(&backups).unwrap().any(|entry| good(entry.unwrap())), "no copy is left");
    }
}

/// The command, with a configuration that says anything.
fn configuration(case: &Case, dice: &mut Dice, folder: &Path) {
    let data = folder.join("data");
    case.before.write_to(&data);
    let text = "migrations = \"m\"\nbackups = \"kept\"\nkeep = 2\nwait = 1.5\natomicity = \"step\"\nallow = [\"attach\"]\n\
                check = \"full\"\nno-transaction = [3]\nhistory-table = \"refinery_schema_history\"\n";
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=dice.roll(5) {
        let at = dice.roll(bytes.len());
        match dice.roll(4) {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => bytes[at] ^= 1 << dice.roll(8),
            2 if at < bytes.len() => bytes[at] = dice.pick(b"\"'[]=.\n#-9e\0\xff"),
            _ => bytes.extend_from_within(at..),
        }
    }
    let config = folder.join("lifeboat.toml");
    fs::write(&config, &bytes).unwrap();
    let output = case.prepared(&data, &[], &["--config", config.to_str().unwrap()]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let json: serde_json::Value = serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{:?}: {}", output.status, String::from_utf8_lossy(&output.stderr)));
    match output.status.code() {
        // What it allows and how it checks is used.
        Some(0 | 1 | 4 | 5) if json["error"]["kind"] != "config" => {
            match case.next_launch(&data) {
                // A new file whose history has the name that the configuration gave it: whoever has that goes on.
                Err(error) if error.kind() == ErrorKind::BadHistory && output.status.success() => {
                    assert_eq!(error.outcome(), Outcome::Untouched);
                    let again = case.prepared(&data, &[], &["--config", config.to_str().unwrap()]).output().unwrap();
                    let said = String::from_utf8_lossy(&again.stdout).into_owned();
                    assert!(again.status.success() && said.contains("\"up-to-date\""), "{said}");
                }
                launched => drop(launched.unwrap()),
            }
        }
        Some(1 | 2) => {
            let message = json["error"]["message"].as_str().unwrap_or_default();
            assert!(message.contains("lifeboat.toml"), "{text}");
            assert!(State::of(&data) == case.before, "refused, and changed");
        }
        code => panic!("exit {code:?}: {text}"),
    }
}
