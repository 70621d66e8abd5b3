//! Backups in lines for people, as wide as the screen.

use std::fmt::Write;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use lifeboat::{Backup, Verified, mebibytes};

use super::json::defect;
use crate::cli::human::Rows;
use crate::cli::screen::{ERROR, FAINT, GOOD, Screen, WARNING};
use crate::cli::table::screen_width;

pub(super) fn created(screen: &Screen, database: &Path, backup: &Backup, message: &str) -> String {
    format!("{}: {message}\nbackup: {}\n", screen.path(database), screen.path(&backup.path))
}

pub(super) fn listed(
    screen: &Screen,
    database: &Path,
    backups: &[Backup],
    message: &str,
    now: DateTime<Utc>,
) -> String {
    let mut text = format!("{}: {message}\n", screen.path(database));
    let rows: Vec<[String; 3]> = backups
        .iter()
        .rev()
        .map(|backup| [screen.text(&file_name(backup)), age(now - backup.taken_at()), mebibytes(backup.size)])
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [name_width, age_width, size_width] = [width(0), width(1), width(2)];
    for (row, backup) in rows.iter().zip(backups.iter().rev()) {
        let [name, age, size] = row;
        let left = screen_width().saturating_sub(2 + name_width + 2 + age_width + 2 + size_width + 2);
        let why = shortened(&screen.text(&why(backup)), left);
        let why = if backup.pin.is_some() {
            // The marks come before what somebody said.
            why.replacen(PINNED, &format!("{WARNING}{PINNED}{WARNING:#}"), 1)
        } else {
            why
        };
        let _ = writeln!(text, "  {name:<name_width$}  {FAINT}{age:<age_width$}  {size:>size_width$}{FAINT:#}  {why}");
    }
    text
}

const PINNED: &str = "pinned";

/// Why it was taken, the versions, the marks; last what somebody said, which may be long.
fn why(backup: &Backup) -> String {
    let mut marks = Vec::new();
    let mut said = String::new();
    if let Some(metadata) = &backup.metadata {
        let version = |id: &Option<String>| id.as_ref().map(|id| id.split("__").next().unwrap_or_default().to_owned());
        marks.push(match (version(&metadata.from), version(&metadata.to)) {
            (Some(from), Some(to)) => format!("{} {from} → {to}", metadata.reason),
            (None, Some(to)) => format!("{} → {to}", metadata.reason),
            (Some(from), None) => format!("{} {from}", metadata.reason),
            (None, None) => metadata.reason.clone(),
        });
        if let Some(note) = &metadata.note {
            said = format!(": {note}");
        }
    } else {
        marks.push("no metadata".to_owned());
    }
    if backup.pin.is_some() {
        marks.push(PINNED.to_owned());
    }
    if backup.compressed {
        marks.push("zstd".to_owned());
    }
    format!("{}{said}", marks.join(", "))
}

fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.max(8).saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// In words, a unit at a time.
fn age(age: TimeDelta) -> String {
    let counted = |count: i64, unit: &str| format!("{count} {unit}{}", if count == 1 { "" } else { "s" });
    match age.num_days() {
        _ if age < TimeDelta::minutes(-1) => "in future".to_owned(),
        _ if age < TimeDelta::minutes(1) => "just now".to_owned(),
        _ if age < TimeDelta::hours(1) => counted(age.num_minutes(), "minute"),
        0 => counted(age.num_hours(), "hour"),
        days @ 1..14 => counted(days, "day"),
        days @ 14..61 => counted(days / 7, "week"),
        days @ 61..365 => counted(days * 12 / 365, "month"),
        days => counted(days / 365, "year"),
    }
}

/// As it lies there, with `.zst` where it is compressed.
fn file_name(backup: &Backup) -> String {
    backup.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

pub(super) fn verified(screen: &Screen, database: &Path, verified: &[Verified], message: &str) -> String {
    let mut rows = Rows::default();
    for verified in verified.iter().rev() {
        let name = file_name(&verified.backup);
        let mut notes = Vec::new();
        if verified.backup.metadata.is_none() {
            notes.push("no metadata, and so no checksum".to_owned());
        }
        match verified.dangling_rows {
            Some(0) | None => {}
            Some(1) => notes.push("1 row refers to none".to_owned()),
            Some(rows) => notes.push(format!("{rows} rows refer to none")),
        }
        match defect(verified) {
            Some((kind, detail)) => rows.add(ERROR, kind, &name, detail),
            None => rows.add(GOOD, "whole", &name, &notes.join("; ")),
        }
    }
    format!("{}: {message}\n{}", screen.path(database), rows.text(screen))
}

pub(super) fn pruned(screen: &Screen, database: &Path, backups: &[Backup], message: &str) -> String {
    format!("{}: {message}\n{}", screen.path(database), going(screen, backups))
}

/// The names alone, a line each.
pub(super) fn going(screen: &Screen, backups: &[Backup]) -> String {
    let mut text = String::new();
    for backup in backups {
        let _ = writeln!(text, "  {}", screen.text(&file_name(backup)));
    }
    text
}

pub(super) fn refused(what: &str, hint: &str) -> String {
    format!("{ERROR}error:{ERROR:#} {what}\n{GOOD}hint:{GOOD:#} {hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_words() {
        for (minutes, words) in [
            (-90, "in future"),
            (0, "just now"),
            (1, "1 minute"),
            (59, "59 minutes"),
            (60, "1 hour"),
            (60 * 23, "23 hours"),
            (60 * 24, "1 day"),
            (60 * 24 * 13, "13 days"),
            (60 * 24 * 14, "2 weeks"),
            (60 * 24 * 61, "2 months"),
            (60 * 24 * 364, "11 months"),
            (60 * 24 * 365, "1 year"),
            (60 * 24 * 800, "2 years"),
        ] {
            assert_eq!(age(TimeDelta::minutes(minutes)), words);
        }
    }
}
