//! `lifeboat restore --table`

use std::path::Path;

use lifeboat::{Migrations, Outcome, TableReport, TableRows};
use serde::Serialize;

use super::answer::{Answer, Failure};
use super::json;
use super::screen::{Screen, WARNING};
use super::session::Session;

#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    database: String,
    #[serde(flatten)]
    report: &'a TableReport,
}

/// Brings the rows of a table back from `copy`, a plain SQLite file.
pub(super) fn restore_table(session: &Session, copy: &Path, table: &str, rows: TableRows) -> Result<Answer, Failure> {
    let path = &session.options.database;
    let report = session.migrator(Migrations::none()).at(path).restore_table(copy, table, rows)?;
    session.progress.end(None);
    Ok(Answer::done(if session.json {
        json::line(&Document { format: json::FORMAT, database: json::lossy(path), report: &report })
    } else {
        human(&session.screen, path, &report)
    }))
}

fn human(screen: &Screen, path: &Path, report: &TableReport) -> String {
    let mut text = format!("{}: {}\n", screen.path(path), screen.text(&report.message));
    let mut note = |what: &str, names: &[String]| {
        if !names.is_empty() {
            let names = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            text.push_str(&format!("{WARNING}{what}:{WARNING:#} {}\n", screen.text(&names)));
        }
    };
    note("columns that are no more", &report.left_out);
    note("triggers that did not fire", &report.silenced);
    note("built anew", &report.rebuilt);
    if report.converted > 0 {
        text.push_str(&format!("{} rows have values of other types now\n", report.converted));
    }
    if let (Some(backup), Outcome::Restored) = (&report.backup, report.outcome) {
        text.push_str(&format!("backup: {}\n", screen.path(backup)));
    }
    text
}
