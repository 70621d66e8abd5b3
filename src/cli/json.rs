//! The JSON documents. Fields are only ever added; paths that are no text are shown as near to it as they come.

use std::path::Path;

use chrono::{SecondsFormat, Utc};
use lifeboat::{
    Backup, Created, Direction, Migration, Outcome, Report, RestoreReport, Snapshot, Status, StepReport, StepState,
};
use serde::Serialize;

use super::answer::Failure;

pub(super) const FORMAT: u32 = 1;

#[derive(Serialize)]
struct StatusDocument<'a> {
    format: u32,
    database: String,
    status: &'a Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    sql: Option<Vec<Sql>>,
    message: &'a str,
}

#[derive(Serialize)]
struct Sql {
    name: String,
    sql: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RunDocument<'a> {
    format: u32,
    results: Vec<Step<'a>>,
    backup: Option<String>,
    recovered: bool,
    outcome: Outcome,
    success: bool,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorPart>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Step<'a> {
    Ran(&'a StepReport),
    WouldRun(WouldRun<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WouldRun<'a> {
    name: String,
    direction: Direction,
    timestamp: String,
    duration_ms: f64,
    success: bool,
    state: StepState,
    error: Option<String>,
    sql: Option<&'a str>,
}

#[derive(Serialize)]
struct CreatedDocument<'a> {
    format: u32,
    name: &'a str,
    up: String,
    down: String,
    success: bool,
    message: &'a str,
}

#[derive(Serialize)]
struct TextDocument<'a> {
    format: u32,
    success: bool,
    message: &'a str,
}

#[derive(Serialize)]
struct ErrorDocument {
    format: u32,
    success: bool,
    error: ErrorPart,
}

#[derive(Serialize)]
pub(super) struct ErrorPart {
    kind: String,
    message: String,
    causes: Vec<String>,
    outcome: Outcome,
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    choices: Option<serde_json::Value>,
}

pub(super) fn status(database: &Path, status: &Status, sql: bool, message: &str) -> String {
    let of = |migration: &Migration| Sql { name: migration.id(), sql: migration.sql().map(ToOwned::to_owned) };
    let sql = sql.then(|| status.plan.pending.iter().map(of).collect());
    line(&StatusDocument { format: FORMAT, database: lossy(database), status, sql, message })
}

/// A run that did its job, or had nothing to do; `preface` says how it came about.
pub(super) fn run(report: &Report, preface: &str) -> String {
    line(&RunDocument {
        format: FORMAT,
        results: report.results.iter().map(Step::Ran).collect(),
        backup: report.backup.as_deref().map(lossy),
        recovered: report.recovered,
        outcome: report.outcome,
        success: true,
        message: format!("{preface}{}", report.message),
        error: None,
    })
}

/// A run that was only looked at.
pub(super) fn preview(pending: &[Migration], message: &str) -> String {
    let timestamp = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    let step = |migration| {
        Step::WouldRun(WouldRun {
            name: Migration::id(migration),
            direction: Direction::Up,
            timestamp: timestamp.clone(),
            duration_ms: 0.0,
            success: false,
            state: StepState::Pending,
            error: None,
            sql: migration.sql(),
        })
    };
    line(&RunDocument {
        format: FORMAT,
        results: pending.iter().map(step).collect(),
        backup: None,
        recovered: false,
        outcome: Outcome::Untouched,
        success: true,
        message: message.to_owned(),
        error: None,
    })
}

/// A run that failed: what became of each migration, and why.
pub(super) fn failed_run(failure: &Failure) -> String {
    let error = &failure.error;
    line(&RunDocument {
        format: FORMAT,
        results: error.results().iter().map(Step::Ran).collect(),
        backup: error.backup().map(lossy),
        recovered: error.recovered(),
        outcome: error.outcome(),
        success: false,
        message: format!("{error}; {}", error.state()),
        error: Some(part(failure)),
    })
}

pub(super) fn created(created: &Created, message: &str) -> String {
    let (up, down) = (lossy(&created.up), lossy(&created.down));
    line(&CreatedDocument { format: FORMAT, name: &created.name, up, down, success: true, message })
}

#[derive(Serialize)]
struct SnapshotDocument<'a> {
    format: u32,
    snapshot: &'a Snapshot,
    success: bool,
    message: &'a str,
}

#[derive(Serialize)]
struct SnapshotsDocument<'a> {
    format: u32,
    snapshots: &'a [Snapshot],
    message: &'a str,
}

#[derive(Serialize)]
struct DeletedDocument<'a> {
    format: u32,
    name: &'a str,
    path: String,
    success: bool,
    message: &'a str,
}

#[derive(Serialize)]
struct RestoreDocument<'a> {
    format: u32,
    #[serde(flatten)]
    report: &'a RestoreReport,
    success: bool,
}

pub(super) fn snapshot(snapshot: &Snapshot, message: &str) -> String {
    line(&SnapshotDocument { format: FORMAT, snapshot, success: true, message })
}

pub(super) fn snapshots(snapshots: &[Snapshot], message: &str) -> String {
    line(&SnapshotsDocument { format: FORMAT, snapshots, message })
}

pub(super) fn snapshot_deleted(name: &str, path: &Path, message: &str) -> String {
    line(&DeletedDocument { format: FORMAT, name, path: lossy(path), success: true, message })
}

pub(super) fn restored(report: &RestoreReport) -> String {
    line(&RestoreDocument { format: FORMAT, report, success: true })
}

/// What a restore can go back to, the newest backup first.
pub(super) fn choices(backups: &[Backup], snapshots: &[Snapshot]) -> serde_json::Value {
    let backups: Vec<_> = backups
        .iter()
        .map(|backup| {
            let metadata = backup.metadata.as_ref();
            serde_json::json!({
                "name": backup.name(),
                "path": lossy(&backup.path),
                "bytes": backup.size,
                "takenAt": metadata.map(|metadata| &metadata.taken_at),
                "reason": metadata.map(|metadata| &metadata.reason),
                "note": metadata.and_then(|metadata| metadata.note.as_ref()),
                "schemaVersion": metadata.and_then(|metadata| metadata.from.as_ref()),
            })
        })
        .collect();
    serde_json::json!({"backups": backups, "snapshots": snapshots})
}

/// Help and version.
pub(super) fn text(message: &str) -> String {
    line(&TextDocument { format: FORMAT, success: true, message })
}

pub(super) fn error(failure: &Failure) -> String {
    line(&ErrorDocument { format: FORMAT, success: false, error: part(failure) })
}

/// Arguments that are none: of the command line alone, so the library has no kind for it.
pub(super) fn usage(message: String, hint: String) -> String {
    line(&ErrorDocument { format: FORMAT, success: false, error: usage_part(message, hint) })
}

pub(super) fn usage_part(message: String, hint: String) -> ErrorPart {
    ErrorPart {
        kind: "usage".to_owned(),
        message,
        causes: Vec::new(),
        outcome: Outcome::Untouched,
        hint: Some(hint),
        choices: None,
    }
}

fn part(failure: &Failure) -> ErrorPart {
    ErrorPart {
        kind: if failure.is_usage { "usage".to_owned() } else { failure.error.kind().to_string() },
        message: failure.error.to_string(),
        causes: failure.causes(),
        outcome: failure.error.outcome(),
        hint: failure.hint(),
        choices: failure.choices.as_ref().map(|(_, json)| json.clone()),
    }
}

pub(super) fn line(document: &impl Serialize) -> String {
    // Nothing in the documents can fail to serialise: all keys are text, and paths are made text before.
    let mut text = serde_json::to_string(document).unwrap_or_else(|error| {
        let error = serde_json::json!({"kind": "io", "message": error.to_string(), "causes": []});
        serde_json::json!({"format": FORMAT, "success": false, "error": error}).to_string()
    });
    text.push('\n');
    text
}

pub(super) fn lossy(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
