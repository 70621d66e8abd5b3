//! What is applied and what is not. Writes nothing.

use serde::Serialize;

use super::launch::Launch;
use super::left::absent;
use crate::error::Result;
use crate::file::{DatabasePath, Purpose};
use crate::migration::{Migration, Migrations, Plan};

/// The state of a file, compared with what the app knows.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Status {
    /// In the history, from the oldest.
    pub applied_migrations: Vec<String>,
    /// Known to the app, not in the history.
    pub pending_migrations: Vec<String>,
    /// Applied with another text or name.
    pub divergent_migrations: Vec<String>,
    /// Applied, unknown to the app, older than the app's newest.
    pub missing_migrations: Vec<String>,
    /// Applied, and newer than all that the app knows.
    pub newer_migrations: Vec<String>,
    /// Pending, but older than the newest applied one.
    pub out_of_order_migrations: Vec<String>,
    /// Files in the folder that was embedded which this binary does not have: it must be built again. Only a debug build
    /// looks, on the machine that built it.
    pub not_embedded_migrations: Vec<String>,
    /// Whether a run was cut off between its transactions, or a restore before its files were in place.
    pub interrupted: bool,
    /// Whether what was cut off is a restore: it is finished, and not undone.
    #[serde(skip)]
    pub restore_unfinished: bool,
    /// The newest applied migration.
    pub last_migration: Option<String>,
    /// Nothing is pending, and nothing is wrong.
    pub is_up_to_date: bool,
    /// The same with all that is known of each.
    #[serde(skip)]
    pub plan: Plan,
}

pub(crate) fn status(launch: &Launch<'_>) -> Result<Status> {
    launch.migrations.check()?;
    let database = DatabasePath::resolve(launch.path)?;
    if database.metadata().is_none() {
        return Err(absent(launch).into());
    }
    let (_, record, plan) = launch.look_as(database.real(), Purpose::Read)?;
    let ids = |entries: &[crate::migration::Entry]| entries.iter().map(|entry| entry.id.clone()).collect::<Vec<_>>();
    let not_embedded = not_embedded(launch.migrations);
    Ok(Status {
        applied_migrations: ids(&plan.applied),
        pending_migrations: plan.pending.iter().map(Migration::id).collect(),
        divergent_migrations: ids(&plan.divergent),
        missing_migrations: ids(&plan.missing),
        newer_migrations: ids(&plan.newer),
        out_of_order_migrations: plan.out_of_order.clone(),
        interrupted: record.open_run.is_some() || record.open_restore.is_some(),
        restore_unfinished: record.open_run.is_none() && record.open_restore.is_some(),
        last_migration: plan.applied.last().map(|entry| entry.id.clone()),
        is_up_to_date: plan.is_up_to_date()
            && record.open_run.is_none()
            && record.open_restore.is_none()
            && not_embedded.is_empty(),
        not_embedded_migrations: not_embedded,
        plan,
    })
}

pub(super) fn not_embedded(embedded: &Migrations) -> Vec<String> {
    let Some(folder) = embedded.built_from.as_ref().filter(|folder| folder.is_dir()) else { return Vec::new() };
    let Ok(now) = Migrations::from_dir(folder) else { return Vec::new() };
    let known: std::collections::BTreeSet<String> = embedded.iter().map(Migration::id).collect();
    now.iter().map(Migration::id).filter(|id| !known.contains(id)).collect()
}
