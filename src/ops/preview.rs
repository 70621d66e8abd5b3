//! What a run would do. Writes nothing.

use super::launch::Launch;
use crate::engine::compile;
use crate::error::Result;
use crate::file::{DatabasePath, Purpose};
use crate::migration::{Migration, plan};

/// The migrations that a run would apply, after the refusals that it would meet before it begins.
pub(crate) fn preview(launch: &Launch<'_>) -> Result<Vec<Migration>> {
    launch.migrations.check()?;
    let database = DatabasePath::resolve(launch.path)?;
    let (connection, mut plan) = if database.metadata().is_some() {
        let path = database.real();
        let (connection, _, plan) = launch.look_as(path, Purpose::Read)?;
        if let Some(refusal) = plan.refusal(path) {
            return Err(refusal.into());
        }
        (connection, plan)
    } else {
        (launch.settings.connector.memory()?, plan(launch.migrations.as_slice(), &[]))
    };
    plan.aim(launch.target)?;
    compile(&connection, launch.settings, &plan.pending)?;
    Ok(plan.pending)
}
