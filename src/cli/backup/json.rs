//! The documents of `lifeboat backup`.

use std::path::Path;

use chrono::SecondsFormat;
use lifeboat::{Backup, Defect, Metadata, Pin, Verified};
use serde::Serialize;

use crate::cli::json::{ErrorPart, FORMAT, line, lossy, usage_part};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BackupPart<'a> {
    name: String,
    path: String,
    size: u64,
    compressed: bool,
    pin: Option<Pin>,
    taken_at: String,
    metadata: Option<&'a Metadata>,
}

impl<'a> BackupPart<'a> {
    fn of(backup: &'a Backup) -> Self {
        BackupPart {
            name: backup.name(),
            path: lossy(&backup.path),
            size: backup.size,
            compressed: backup.compressed,
            pin: backup.pin,
            taken_at: backup.taken_at().to_rfc3339_opts(SecondsFormat::Millis, true),
            metadata: backup.metadata.as_ref(),
        }
    }
}

#[derive(Serialize)]
struct CreatedDocument<'a> {
    format: u32,
    database: String,
    backup: BackupPart<'a>,
    reused: bool,
    success: bool,
    message: &'a str,
}

#[derive(Serialize)]
struct ListDocument<'a> {
    format: u32,
    database: String,
    backups: Vec<BackupPart<'a>>,
    message: &'a str,
}

#[derive(Serialize)]
struct VerifiedDocument<'a> {
    format: u32,
    database: String,
    results: Vec<VerifiedPart<'a>>,
    success: bool,
    message: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VerifiedPart<'a> {
    name: String,
    path: String,
    ok: bool,
    defect: Option<&'static str>,
    detail: Option<&'a str>,
    has_metadata: bool,
    dangling_rows: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PrunedDocument<'a> {
    format: u32,
    database: String,
    dry_run: bool,
    pruned: Vec<BackupPart<'a>>,
    success: bool,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorPart>,
}

pub(super) fn created(database: &Path, backup: &Backup, reused: bool, message: &str) -> String {
    let (database, backup) = (lossy(database), BackupPart::of(backup));
    line(&CreatedDocument { format: FORMAT, database, backup, reused, success: true, message })
}

/// From the newest to the oldest, as in the list for people.
pub(super) fn listed(database: &Path, backups: &[Backup], message: &str) -> String {
    let backups = backups.iter().rev().map(BackupPart::of).collect();
    line(&ListDocument { format: FORMAT, database: lossy(database), backups, message })
}

pub(super) fn verified(database: &Path, verified: &[Verified], success: bool, message: &str) -> String {
    let results = verified.iter().rev().map(|verified| {
        let (backup, defect) = (&verified.backup, defect(verified));
        VerifiedPart {
            name: backup.name(),
            path: lossy(&backup.path),
            ok: verified.is_ok(),
            defect: defect.map(|(kind, _)| kind),
            detail: defect.map(|(_, detail)| detail),
            has_metadata: backup.metadata.is_some(),
            dangling_rows: verified.dangling_rows,
        }
    });
    let results = results.collect();
    line(&VerifiedDocument { format: FORMAT, database: lossy(database), results, success, message })
}

/// What is wrong, in one word, and the details.
pub(super) fn defect(verified: &Verified) -> Option<(&'static str, &str)> {
    Some(match verified.defect.as_ref()? {
        Defect::Damaged(detail) => ("damaged", detail),
        Defect::Changed(detail) => ("changed", detail),
        Defect::Unreadable(detail) => ("unreadable", detail),
        _ => ("damaged", ""),
    })
}

/// What went or, in a dry run, would go; with what keeps it from going.
pub(super) fn pruned(
    database: &Path,
    backups: &[Backup],
    dry_run: bool,
    refused: Option<(String, String)>,
    message: &str,
) -> String {
    line(&PrunedDocument {
        format: FORMAT,
        database: lossy(database),
        dry_run,
        pruned: backups.iter().map(BackupPart::of).collect(),
        success: refused.is_none(),
        message,
        error: refused.map(|(message, hint)| usage_part(message, hint)),
    })
}
