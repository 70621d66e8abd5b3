//! A tiny notes app that brings its database up to date when it starts.
//!
//! ```sh
//! cargo run --example notes                      # the newest notes
//! cargo run --example notes -- "Buy rye flour"   # one more
//! ```

use std::error::Error;
use std::process::ExitCode;

use lifeboat::rusqlite::Connection;
use lifeboat::{Event, Migrator, Outcome};

/// The ups and downs of the folder, inside the binary.
static MIGRATIONS: lifeboat::Embedded = lifeboat::embed!("$CARGO_MANIFEST_DIR/migrations");

fn main() -> ExitCode {
    match open().and_then(|db| run(&db)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// A connection to a database that has the newest schema. Whatever goes wrong, the user's notes are as they were.
fn open() -> Result<Connection, Box<dyn Error>> {
    let path = std::env::var("NOTES_DB").unwrap_or_else(|_| ".data/app.db".to_owned());
    let migrator = Migrator::new(&MIGRATIONS).app_version(env!("CARGO_PKG_VERSION")).on_event(show);
    migrator.open(&path).map_err(|error| {
        let mut text = format!("Your notes cannot be opened: {error}");
        if let Some(cause) = error.source() {
            text += &format!(": {cause}");
        }
        text += &format!("\nDo not worry: {}.", error.state());
        if let Some(hint) = error.hint() {
            text += &format!("\nWhat helps: {hint}.");
        }
        text.into()
    })
}

/// What a window would show in its status line. With nothing to do there is no event, and the app opens at once.
fn show(event: &Event) {
    match event {
        Event::StepStarted { name, index, of } => eprintln!("Updating your notes, step {index} of {of}: {name}"),
        Event::BackupFinished { path, .. } => eprintln!("Your notes as they were are kept in {}", path.display()),
        Event::Finished { outcome: Outcome::Created, .. } => eprintln!("Welcome! Your notebook is ready."),
        Event::Finished { outcome: Outcome::Migrated, .. } => eprintln!("Your notes are up to date."),
        Event::Waiting { .. } | Event::RecoveryStarted { .. } | Event::Warning { .. } => eprintln!("{event}"),
        _ => {}
    }
}

fn run(db: &Connection) -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if !words.is_empty() {
        add(db, &words.join(" "))?;
    }
    let mut newest =
        db.prepare("SELECT created_at, title FROM notes WHERE trashed_at IS NULL ORDER BY id DESC LIMIT 5")?;
    let mut rows = newest.query([])?;
    while let Some(row) = rows.next()? {
        println!("{}  {}", row.get::<_, String>(0)?, row.get::<_, String>(1)?);
    }
    Ok(())
}

fn add(db: &Connection, title: &str) -> Result<(), Box<dyn Error>> {
    db.execute("INSERT OR IGNORE INTO notebooks (name) VALUES ('Inbox')", [])?;
    db.execute("INSERT INTO notes (notebook_id, title) SELECT id, ?1 FROM notebooks WHERE name = 'Inbox'", [title])?;
    Ok(())
}
