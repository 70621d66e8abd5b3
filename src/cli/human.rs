//! Results and errors as text for people.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use anstyle::Style;
use lifeboat::{Created, Entry, Migration, Outcome, Problem, Report, Status, StepReport, StepState, brief};

use super::answer::Failure;
use super::screen::{ERROR, FAINT, GOOD, Screen, WARNING, harmless};

/// Rows of a label in its colour, a name, and what else there is to say.
#[derive(Default)]
pub(super) struct Rows(Vec<(Style, &'static str, String, String)>);

impl Rows {
    pub(super) fn add(&mut self, style: Style, label: &'static str, name: &str, more: &str) {
        self.0.push((style, label, name.to_owned(), more.to_owned()));
    }

    pub(super) fn text(self, screen: &Screen) -> String {
        let mut text = String::new();
        let labels = self.0.iter().map(|row| row.1.len()).max().unwrap_or(0);
        // One very long name does not push all the others' times out of sight.
        let names = self.0.iter().map(|row| row.2.chars().count()).filter(|width| *width <= 48).max().unwrap_or(0);
        for (style, label, name, more) in self.0 {
            let (name, more) = (screen.text(&name), screen.text(&more));
            let _ = if more.is_empty() {
                writeln!(text, "  {style}{label:<labels$}{style:#}  {name}")
            } else {
                writeln!(text, "  {style}{label:<labels$}{style:#}  {name:<names$}  {FAINT}{more}{FAINT:#}")
            };
        }
        text
    }
}

pub(super) fn run(screen: &Screen, database: &Path, report: &Report, preface: &str) -> String {
    let mut text = steps(screen, &report.results);
    if report.recovered && report.outcome != Outcome::Restored {
        let _ = writeln!(text, "an earlier run had been cut off; it was undone first");
    }
    let database = screen.path(database);
    let newest = report.results.last().map_or_else(String::new, |last| format!(", now at {}", screen.text(&last.name)));
    let message = screen.text(&report.message);
    let _ = match report.outcome {
        Outcome::Created => writeln!(text, "{preface}created {database} with {}{newest}", counted(&report.results)),
        Outcome::UpToDate => writeln!(text, "{preface}{database} is up to date"),
        _ => writeln!(text, "{preface}{database}: {message}{newest}"),
    };
    if let Some(backup) = &report.backup {
        let _ = writeln!(text, "backup: {}", screen.path(backup));
    }
    text
}

fn counted(results: &[StepReport]) -> String {
    if results.len() == 1 { "1 migration".to_owned() } else { format!("{} migrations", results.len()) }
}

/// What became of each migration of a run.
pub(super) fn steps(screen: &Screen, results: &[StepReport]) -> String {
    let mut rows = Rows::default();
    for step in results {
        let took = Duration::try_from_secs_f64(step.duration_ms / 1000.0).map(brief).unwrap_or_default();
        let (style, label, more) = match (step.state, step.success) {
            (StepState::Pending, _) => (FAINT, "not run", String::new()),
            (_, false) => (ERROR, "failed", took),
            (StepState::Applied, true) => (GOOD, "applied", took),
            (StepState::RolledBack, true) => (WARNING, "rolled back", took),
            (_, true) => (WARNING, "restored", took),
        };
        rows.add(style, label, &step.name, &more);
    }
    rows.text(screen)
}

pub(super) fn preview(screen: &Screen, pending: &[Migration], message: &str) -> String {
    // A comment, so that the whole is a script.
    format!("-- {}\n{}", screen.text(message), sql(screen, pending))
}

fn sql(screen: &Screen, migrations: &[Migration]) -> String {
    let mut text = String::new();
    for migration in migrations {
        let _ = writeln!(text, "\n-- {}", screen.text(&migration.id()));
        match migration.sql() {
            Some(sql) => {
                let _ = writeln!(text, "{}", harmless(sql.trim_start_matches('\u{feff}').trim_end(), true));
            }
            None => text.push_str("-- a migration in Rust, which only the app can run\n"),
        }
    }
    text
}

pub(super) fn status(screen: &Screen, database: &Path, status: &Status, message: &str, with_sql: bool) -> String {
    let mut text = format!("{}: {}\n", screen.path(database), screen.text(message));
    let mut rows = Rows::default();
    let plan = &status.plan;
    let is_in = |entries: &[Entry], entry: &Entry| entries.iter().any(|other| other.version == entry.version);
    for entry in &plan.applied {
        let (style, label) = if is_in(&plan.divergent, entry) {
            (ERROR, "divergent")
        } else if is_in(&plan.missing, entry) {
            (ERROR, "missing")
        } else if is_in(&plan.newer, entry) {
            (ERROR, "newer")
        } else {
            (GOOD, "applied")
        };
        rows.add(style, label, &entry.id, &to_the_second(&entry.applied_on));
    }
    for migration in &plan.pending {
        let name = migration.id();
        let late = if plan.out_of_order.contains(&name) { "out of order: older than the newest applied" } else { "" };
        rows.add(WARNING, "pending", &name, late);
    }
    for name in &status.not_embedded_migrations {
        rows.add(WARNING, "not built", name, "in the folder, but not in this binary");
    }
    text.push_str(&rows.text(screen));
    if with_sql {
        text.push_str(&sql(screen, &plan.pending));
    }
    text
}

/// refinery writes nanoseconds; a date that is none is shown as it is.
fn to_the_second(applied_on: &str) -> String {
    match chrono::DateTime::parse_from_rfc3339(applied_on) {
        Ok(at) => at.to_utc().format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => applied_on.to_owned(),
    }
}

pub(super) fn created(screen: &Screen, created: &Created) -> String {
    format!("created {}\n    and {}\n", screen.path(&created.up), screen.path(&created.down))
}

/// What went wrong, why, the state of the file, and what to do next.
pub(super) fn failure(screen: &Screen, database: Option<&Path>, failure: &Failure) -> String {
    let mut text = format!("{ERROR}error:{ERROR:#} {}", screen.text(&failure.error.to_string()));
    for cause in failure.causes() {
        let _ = write!(text, "\n  {FAINT}cause:{FAINT:#} {}", screen.text(&cause));
    }
    if let Some(state) = database.and_then(|database| state(screen, database, failure)) {
        let _ = write!(text, "\n  {FAINT}state:{FAINT:#} {state}");
    }
    if let Some(hint) = failure.hint() {
        let _ = write!(text, "\n{GOOD}hint:{GOOD:#} {}", screen.text(&hint));
    }
    text
}

fn state(screen: &Screen, database: &Path, failure: &Failure) -> Option<String> {
    let error = &failure.error;
    let name = screen.path(database);
    let kept = error.backup().map(|path| format!("; copy kept: {}", screen.path(path))).unwrap_or_default();
    // Also a link that leads nowhere is something that stands there.
    let exists = std::fs::symlink_metadata(database).is_ok();
    Some(match error.outcome() {
        Outcome::Untouched if !exists => return None,
        Outcome::RolledBack if !exists => format!("{name} was not made (rolled back)"),
        Outcome::Untouched | Outcome::UpToDate => format!("{name} is as it was (nothing was changed)"),
        Outcome::RolledBack => format!("{name} is as it was (rolled back{kept})"),
        Outcome::Restored if error.recovered() && error.results().is_empty() => {
            format!("{name} is as it was before a run that was cut off (that run was undone first)")
        }
        Outcome::Restored => format!("{name} is as it was (restored from its backup{kept})"),
        Outcome::NeedsRecovery if matches!(error.problem(), Problem::RestoreUnfinished { .. }) => {
            let before = error.backup().map(|path| format!("; what it was before: {}", screen.path(path)));
            format!("{name} is the copy; its files are not all in place{}", before.unwrap_or_default())
        }
        Outcome::NeedsRecovery => format!("{name} is between two schemas (its backup could not be put back{kept})"),
        _ => format!("{name} is migrated"),
    })
}
