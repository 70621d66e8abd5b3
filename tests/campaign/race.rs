//! Processes that launch, read, write, take snapshots and restore at once and are killed at random, for a bounded time.
//! Every row that a writer was told is committed must be there in the end: in the database or, where a restore has gone
//! back behind it, in the backup that the restore made.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::Finding;
use super::picture::content;

/// How many processes were started, of what kind.
#[derive(Default)]
pub struct Raced {
    pub launches: usize,
    pub copies: usize,
    pub killed: usize,
    pub rows: usize,
}

/// What a process is there for.
enum Role {
    /// May fail, be refused, be killed.
    Any,
    /// Only reads: succeeds, unless it is killed.
    Reader,
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Rounds until the time is over: a new migration, several launches, two writers, a reader, a snapshot, a restore, kills.
pub fn race(workshop: &Path, seed: u64, at_most: Duration) -> (Raced, Vec<Finding>) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut raced = Raced::default();
    let mut findings = Vec::new();
    let started = Instant::now();
    let mut game = 0;
    while started.elapsed() < at_most {
        game += 1;
        let folder = workshop.join(format!("race {game}"));
        let mode = if dice.roll(2) == 0 { "delete" } else { "wal" };
        let found = super::look(|| play(&folder, mode, &mut dice, &mut raced));
        if let Some(message) = found {
            let case = format!("race of processes ({mode})");
            findings.push(Finding { case, what: format!("seed {seed}, game {game}"), message });
        }
        let _ = fs::remove_dir_all(&folder);
    }
    (raced, findings)
}

fn play(folder: &Path, mode: &str, dice: &mut Dice, raced: &mut Raced) {
    let (migrations, data) = (folder.join("migrations"), folder.join("data"));
    fs::create_dir_all(&migrations).unwrap();
    fs::create_dir_all(&data).unwrap();
    let database = data.join("app.db");
    fs::write(
        migrations.join("V1__row.sql"),
        "CREATE TABLE row (id INTEGER PRIMARY KEY, writer TEXT NOT NULL, number INTEGER NOT NULL);",
    )
    .unwrap();
    assert!(launch(&migrations, &database).wait_with_output().unwrap().status.success());
    Connection::open(&database).unwrap().execute_batch(&format!("PRAGMA journal_mode = {mode}")).unwrap();
    let mut logs: Vec<PathBuf> = Vec::new();
    // Without them, nothing may be missing from the database itself.
    let restores = dice.roll(2) == 0;
    for round in 2..5_u64 {
        let text = match dice.roll(4) {
            0 => "CREATE TABLE row_new (id INTEGER PRIMARY KEY, writer TEXT NOT NULL, number INTEGER NOT NULL);
                  INSERT INTO row_new SELECT id, writer, number FROM row; DROP TABLE row; ALTER TABLE row_new RENAME TO row;"
                .to_owned(),
            1 => format!("ALTER TABLE row ADD COLUMN extra_{round} TEXT; UPDATE row SET extra_{round} = writer;"),
            2 => format!(
                "CREATE TABLE slow_{round} AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200000) SELECT count(*) AS c FROM n;"
            ),
            _ => format!("CREATE INDEX row_{round} ON row (number);"),
        };
        let name = migrations.join(format!("V{round}__round.sql"));
        // Now and then a failing one first: what is rolled back must not take others' rows along.
        if dice.roll(3) == 0 {
            fs::write(
                &name,
                format!("{text}\nCREATE TABLE once_{round} (a UNIQUE); INSERT INTO once_{round} VALUES (1), (1);"),
            )
            .unwrap();
            let mut failing = launch(&migrations, &database);
            raced.launches += 1;
            if dice.roll(2) == 0 {
                std::thread::sleep(Duration::from_millis(dice.roll(40)));
                let _ = failing.kill();
                raced.killed += 1;
            }
            let _ = failing.wait();
        }
        fs::write(&name, text).unwrap();
        let mut processes: Vec<(Role, Child)> = Vec::new();
        for writer in 0..2 {
            let log = folder.join(format!("acknowledged {round} {writer}"));
            processes.push((Role::Any, write_rows(&database, &log, &format!("{round}-{writer}"))));
            logs.push(log);
        }
        let launches = 2 + dice.roll(3);
        for number in 0..launches {
            processes.push((Role::Any, launch(&migrations, &database)));
            raced.launches += 1;
            std::thread::sleep(Duration::from_millis(dice.roll(15)));
            let command: &[&str] = match (number, dice.roll(4)) {
                (0, _) => &["snapshot", "--name", "here", "--replace"],
                (_, 0) if restores => &["restore", "--name", "here"],
                (_, 1) if restores => &["restore", "--backup", "latest"],
                _ => {
                    processes.push((Role::Reader, lifeboat(&migrations, &database, &["inspect"])));
                    continue;
                }
            };
            processes.push((Role::Any, lifeboat(&migrations, &database, command)));
            raced.copies += 1;
        }
        let mut ended = Vec::new();
        for (role, mut process) in processes {
            let kills = dice.roll(3) == 0;
            if kills {
                std::thread::sleep(Duration::from_millis(dice.roll(30)));
                raced.killed += usize::from(process.kill().is_ok());
            }
            ended.push((role, kills, process));
        }
        for (role, was_killed, process) in ended {
            let output = process.wait_with_output().unwrap();
            if matches!(role, Role::Reader) && !was_killed {
                assert!(output.status.success(), "a reader: {}", String::from_utf8_lossy(&output.stdout));
            }
        }
        let last = launch(&migrations, &database).wait_with_output().unwrap();
        raced.launches += 1;
        assert!(last.status.success(), "{}", String::from_utf8_lossy(&last.stdout));
    }
    content(&database);
    let connection = Connection::open(&database).unwrap();
    let behind = if restores { backups(&data) } else { Vec::new() };
    let has = |connection: &Connection, row: [&str; 2]| {
        connection.prepare("SELECT 1 FROM row WHERE writer = ?1 AND number = ?2").unwrap().exists(row).unwrap()
    };
    for log in logs {
        let Ok(text) = fs::read_to_string(&log) else { continue };
        // A line without its end was being written when its writer was killed; it was acknowledged nevertheless, but
        // which number it is cannot be read.
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let (writer, number) = line.trim().split_once(' ').unwrap();
            let there = has(&connection, [writer, number]) || behind.iter().any(|kept| has(kept, [writer, number]));
            assert!(there, "writer {writer} was told that its row {number} is committed");
            raced.rows += 1;
        }
    }
    let applied: i64 =
        connection.query_row("SELECT count(*) FROM refinery_schema_history", [], |row| row.get(0)).unwrap();
    assert_eq!(applied, 4, "each migration once");
}

/// What there is to find what a restore has gone back behind. It is in the backup that the restore made; or in one that was
/// there, of the same content, whose reason then stays what it was.
fn backups(data: &Path) -> Vec<Connection> {
    let files = fs::read_dir(data.join("backups")).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "db"))
        .map(|path| Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap())
        .collect()
}

fn launch(migrations: &Path, database: &Path) -> Child {
    lifeboat(migrations, database, &["migrate"])
}

fn lifeboat(migrations: &Path, database: &Path, command: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_lifeboat"))
        .args(["--no-env-file", "--json", "--yes", "--wait", "60", "--keep", "100", "--data-dir"])
        .arg(database.parent().unwrap())
        .arg("-m")
        .arg(migrations)
        .args(command)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn write_rows(database: &Path, log: &Path, name: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .arg("--writer")
        .args([database, log])
        .arg(name)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What the process behind `--writer` does: rows, each noted once SQLite says that it is committed.
pub fn writer(database: &Path, log: &Path, name: &str) {
    let connection = Connection::open(database).unwrap();
    connection.busy_timeout(Duration::from_secs(30)).unwrap();
    let mut log = fs::File::create(log).unwrap();
    for number in 0..60 {
        if connection.execute("INSERT INTO row (writer, number) VALUES (?1, ?2)", (name, number)).is_ok() {
            writeln!(log, "{name} {number}").unwrap();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
