//! Snapshots, backups and restores as text for people.

use std::fmt::Write;
use std::path::Path;

use chrono::{DateTime, Utc};
use lifeboat::{Backup, RestoreReport, Snapshot, mebibytes};

use super::screen::{FAINT, GOOD, Screen, WARNING};
use super::table::screen_width;

pub(super) fn snapshot(screen: &Screen, snapshot: &Snapshot) -> String {
    let files = match snapshot.files {
        0 => String::new(),
        1 => ", the database and 1 file".to_owned(),
        files => format!(", the database and {files} files"),
    };
    format!("took the snapshot {} ({}{files})\n", screen.path(&snapshot.path), mebibytes(snapshot.bytes))
}

pub(super) fn snapshots(screen: &Screen, snapshots: &[Snapshot], message: &str) -> String {
    let mut text = format!("{}\n", screen.text(message));
    let rows: Vec<Row> = snapshots.iter().map(of_snapshot).collect();
    table(screen, &mut text, &rows, 0);
    text
}

/// What a bare `restore` can go back to: backups from the newest, with the numbers that `--backup` knows, then snapshots.
pub(super) fn choices(screen: &Screen, backups: &[Backup], snapshots: &[Snapshot]) -> String {
    let mut text = if backups.is_empty() && snapshots.is_empty() {
        "there is neither a backup nor a snapshot\n".to_owned()
    } else {
        "backups and snapshots:\n".to_owned()
    };
    let rows: Vec<Row> = backups.iter().map(of_backup).chain(snapshots.iter().map(of_snapshot)).collect();
    table(screen, &mut text, &rows, backups.len());
    text
}

pub(super) fn restored(screen: &Screen, database: &Path, report: &RestoreReport) -> String {
    const SHOWN: usize = 8;
    let mut text = format!("{}: {}\n", screen.path(database), screen.text(&report.message));
    let mut files = |paths: &[std::path::PathBuf], what: &str| {
        if paths.is_empty() {
            return;
        }
        let _ = writeln!(text, "{what}:");
        for path in paths.iter().take(SHOWN) {
            let _ = writeln!(text, "  {}", screen.text(&path.display().to_string()));
        }
        if paths.len() > SHOWN {
            let _ = writeln!(text, "  and {} more", paths.len() - SHOWN);
        }
    };
    files(&report.kept_files, "not in the copy, and kept (`--exact` removes them)");
    files(&report.removed_files, "not in the copy, and removed (they are beside the backup)");
    if let Some(backup) = &report.backup {
        let _ = writeln!(text, "backup: {}; restoring that undoes it", screen.path(backup));
    }
    if let Some(aside) = &report.aside {
        let _ = writeln!(text, "the damaged file is kept: {}", screen.path(aside));
    }
    if let Some(hint) = &report.hint {
        let _ = writeln!(text, "{GOOD}hint:{GOOD:#} {}", screen.text(hint));
    }
    text
}

struct Row {
    name: String,
    age: String,
    size: String,
    rows: String,
    /// What was said of it, and its schema.
    schema: String,
    why_not: Option<String>,
}

fn of_snapshot(snapshot: &Snapshot) -> Row {
    Row {
        name: snapshot.name.clone(),
        age: age(snapshot.taken_at.as_deref()),
        size: mebibytes(snapshot.bytes),
        rows: match snapshot.rows {
            Some(1) => "1 row".to_owned(),
            Some(rows) => format!("{rows} rows"),
            None => String::new(),
        },
        schema: snapshot.schema_version.clone().unwrap_or_default(),
        why_not: snapshot.why_not.clone(),
    }
}

fn of_backup(backup: &Backup) -> Row {
    let metadata = backup.metadata.as_ref();
    Row {
        name: backup.name(),
        age: age(metadata.map(|metadata| metadata.taken_at.as_str())),
        size: mebibytes(backup.size),
        rows: metadata.map_or_else(String::new, |metadata| metadata.reason.clone()),
        schema: metadata.map_or_else(String::new, |metadata| match (&metadata.note, &metadata.from) {
            (Some(note), Some(from)) => format!("{note} ({from})"),
            (note, from) => note.iter().chain(from).cloned().collect(),
        }),
        why_not: None,
    }
}

/// Rows that fit the screen, if the names let them. The first few have a number.
fn table(screen: &Screen, text: &mut String, rows: &[Row], numbered: usize) {
    let width = |cell: fn(&Row) -> &str| rows.iter().map(|row| cell(row).chars().count()).max().unwrap_or(0);
    let (names, ages) = (width(|row| &row.name).min(40), width(|row| &row.age));
    let (sizes, counts) = (width(|row| &row.size), width(|row| &row.rows));
    let number_width = numbered.to_string().len();
    for (index, row) in rows.iter().enumerate() {
        let number = match numbered {
            0 => String::new(),
            _ if index < numbered => format!("{:>number_width$}  ", index + 1),
            _ => " ".repeat(number_width + 2),
        };
        let left = screen_width().saturating_sub(number.len() + names + ages + sizes + counts + 10).max(8);
        let schema = cut(&screen.text(&row.schema), left);
        let (name, more) = (screen.text(&row.name), screen.text(&row.rows));
        let line = format!(
            "  {number}{name:<names$}  {:<ages$}  {:>sizes$}  {more:>counts$}  {FAINT}{schema}{FAINT:#}",
            row.age, row.size
        );
        let _ = writeln!(text, "{}", line.trim_end());
        if let Some(why) = &row.why_not {
            let _ = writeln!(text, "    {WARNING}this app cannot open it:{WARNING:#} {}", screen.text(why));
        }
    }
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

fn age(taken_at: Option<&str>) -> String {
    let at = taken_at.and_then(|at| at.parse::<DateTime<Utc>>().ok());
    let Some(seconds) = at.map(|at| Utc::now().signed_duration_since(at).num_seconds()) else {
        return "?".to_owned();
    };
    match seconds {
        ..60 => "just now".to_owned(),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_the_unit_that_fits() {
        let ago = |seconds: i64| age(Some(&(Utc::now() - chrono::Duration::seconds(seconds)).to_rfc3339()));
        assert_eq!(ago(-5), "just now");
        assert_eq!(ago(130), "2 min ago");
        assert_eq!(ago(7_300), "2 h ago");
        assert_eq!(ago(400_000), "4 days ago");
        assert_eq!(age(Some("yesterday")), "?");
    }

    #[test]
    fn a_long_schema_does_not_push_a_row_over_80_columns() {
        let row = Row {
            name: "before-the-big-update".to_owned(),
            age: "12 days ago".to_owned(),
            size: "248.0 MiB".to_owned(),
            rows: "1234567 rows".to_owned(),
            schema: "V20260115__split_the_sources_of_all_notes_into_tables".to_owned(),
            why_not: None,
        };
        let mut text = String::new();
        let screen = Screen::new(super::super::value::Color::Never, Path::new("/"), false, false);
        table(&screen, &mut text, &[row], 1);
        let plain = text.replace("\u{1b}[2m", "").replace("\u{1b}[0m", "");
        assert!(plain.trim_end().chars().count() <= 80 && plain.contains('…'), "{plain}");
    }
}
