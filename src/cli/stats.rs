//! `lifeboat stats`

use std::path::Path;

use chrono::{DateTime, Utc};
use lifeboat::{Integrity, Migrations, Stats, mebibytes};
use serde::Serialize;

use super::answer::{Answer, Failure};
use super::exit::Exit;
use super::inspect::file;
use super::screen::{ERROR, GOOD, Screen, WARNING};
use super::session::Session;
use super::status::with_example;
use super::table::{Cell, Set, Table, ago, counted, grouped, screen_width};
use super::{args, json};

#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    database: String,
    stats: &'a Stats,
    message: String,
}

pub(super) fn stats(session: &Session, args: &args::Stats) -> Result<Answer, Failure> {
    let source = file(session, args.backup.as_deref())?;
    let path = &source.shown;
    let migrator = session.migrator(Migrations::none());
    let stats = migrator.at(source.path()).stats(args.integrity.unwrap_or_default());
    let stats = stats.map_err(|error| with_example(session, error))?;
    let text = if session.json {
        let message = message(&stats);
        json::line(&Document { format: json::FORMAT, database: json::lossy(path), stats: &stats, message })
    } else {
        human(&session.screen, path, &stats, args.backup.is_none())
    };
    let damaged = stats.integrity.as_ref().is_some_and(|integrity| !integrity.ok);
    Ok(Answer { text, exit: if damaged { Exit::Failed } else { Exit::Done } })
}

fn message(stats: &Stats) -> String {
    let backups = counted(stats.backups.count, "backup", "backups");
    let sound = match &stats.integrity {
        None => "",
        Some(integrity) if integrity.ok => ", sound",
        Some(_) => ", damaged",
    };
    format!("{}, {backups}{sound}", mebibytes(stats.size))
}

fn human(screen: &Screen, path: &Path, stats: &Stats, has_backups: bool) -> String {
    let mut table = Table::new(&[("", Set::Left), ("", Set::Left)]);
    let mut row = |name: &str, value: Cell| table.add([Cell::faint(name), value]);
    row("size", Cell::new(mebibytes(stats.size)));
    let pages = format!("{} of {} bytes each", grouped(stats.pages), grouped(stats.page_size));
    row("pages", Cell::new(format!("{pages}, {} free{}", grouped(stats.free_pages), share(stats))));
    let fragmentation = stats.fragmentation.map_or("unknown".to_owned(), |share| percent(share).to_string());
    row("fragmentation", Cell::new(fragmentation));
    row("write-ahead log", Cell::new(if stats.wal_size > 0 { mebibytes(stats.wal_size) } else { "none".to_owned() }));
    row("journal mode", Cell::new(&stats.journal_mode));
    row("auto-vacuum", Cell::new(stats.auto_vacuum));
    row("encoding", Cell::new(&stats.encoding));
    row("user_version", Cell::new(stats.user_version.to_string()));
    row("application_id", Cell::new(application(stats.application_id)));
    row("schema version", Cell::new(stats.schema_version.to_string()));
    if has_backups {
        row("backups", Cell::new(backups(stats)));
    }
    let mut text = format!("{}\n", screen.path(path));
    match &stats.integrity {
        None => {}
        Some(integrity) => row("integrity", soundness(integrity)),
    }
    text.push_str(&table.text(2, screen_width()));
    if let Some(integrity) = &stats.integrity {
        let mut findings = Table::new(&[("", Set::Left)]);
        integrity.findings.iter().for_each(|finding| findings.add([Cell::new(finding)]));
        text.push_str(&findings.text(4, screen_width()));
    }
    text
}

fn share(stats: &Stats) -> String {
    #[allow(clippy::cast_precision_loss)] // a rounded figure for people
    let share = stats.free_pages as f64 / stats.pages.max(1) as f64;
    if stats.free_pages == 0 { String::new() } else { format!(" ({})", percent(share)) }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// As a number, and as the four letters that many take it for.
fn application(id: i64) -> String {
    let bytes = u32::try_from(id & 0xffff_ffff).unwrap_or_default().to_be_bytes();
    let letters = std::str::from_utf8(&bytes).ok().filter(|text| text.chars().all(|c| c.is_ascii_graphic()));
    letters.map_or_else(|| id.to_string(), |letters| format!("{id} (`{letters}`)"))
}

fn backups(stats: &Stats) -> String {
    let backups = &stats.backups;
    if backups.count == 0 {
        return "none".to_owned();
    }
    let taken = backups.newest.as_deref().and_then(|at| DateTime::parse_from_rfc3339(at).ok());
    let age =
        taken.map_or_else(String::new, |at| format!("; the newest {}", ago((Utc::now() - at.to_utc()).num_seconds())));
    format!("{}, {}{age}", grouped(u64::try_from(backups.count).unwrap_or(u64::MAX)), mebibytes(backups.size))
}

fn soundness(integrity: &Integrity) -> Cell {
    let dangling = integrity.dangling_rows.filter(|rows| *rows > 0);
    match (integrity.ok, dangling) {
        (false, _) => Cell::styled("damaged", ERROR),
        (true, Some(rows)) => Cell::styled(format!("sound; {} rows refer to no parent", grouped(rows)), WARNING),
        (true, None) => Cell::styled("sound", GOOD),
    }
}
