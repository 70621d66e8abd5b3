//! Whether the file's schema is what the applied migrations give.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::super::launch::Launch;
use super::checklist::Checklist;
use super::finding::Severity;
use crate::engine::expected;
use crate::error::Problem;
use crate::migration::{LEDGER_TABLE, Plan};
use crate::schema::{Index, Origin, Schema, Table, read_schema};

const CHECK: &str = "drift";

pub(super) fn look(
    launch: &Launch<'_>,
    connection: &Connection,
    plan: &Plan,
    list: &mut Checklist,
) -> Result<(), Problem> {
    let settings = launch.settings;
    if plan.applied.is_empty() {
        list.skip(CHECK, "no migration was applied that could be compared with");
        return Ok(());
    }
    if !(plan.newer.is_empty() && plan.divergent.is_empty() && plan.missing.is_empty()) {
        list.skip(CHECK, "the app has not the text of all that was applied");
        return Ok(());
    }
    let versions: BTreeSet<i64> = plan.applied.iter().map(|entry| entry.version).collect();
    let applied = launch.migrations.iter().filter(|migration| versions.contains(&migration.version()));
    let scratch = match expected(settings, applied)? {
        Ok(scratch) => scratch,
        Err(why) => {
            list.skip(CHECK, why);
            return Ok(());
        }
    };
    let ours = [LEDGER_TABLE, settings.history_table.as_str()];
    let schemas = read_schema(&scratch, &ours).and_then(|wanted| Ok((wanted, read_schema(connection, &ours)?)));
    match schemas {
        Ok((wanted, there)) => tell(&differences(&wanted, &there), list),
        Err(_) if settings.cancel.is_cancelled() => return Err(Problem::Cancelled {}),
        Err(error) => list.skip(CHECK, format!("the schema cannot be read: {error}")),
    }
    Ok(())
}

fn tell(differences: &[String], list: &mut Checklist) {
    const SHOWN: usize = 5;
    if differences.is_empty() {
        return list.ok(CHECK, "the schema is what the applied migrations give");
    }
    let mut found = differences.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if differences.len() > SHOWN {
        found.push_str(&format!(" and {} more", differences.len() - SHOWN));
    }
    list.add(CHECK, Severity::Warning, found, "undo what was changed by hand, or write a migration that makes it so");
}

/// The objects that are not the same, by name.
fn differences(wanted: &Schema, there: &Schema) -> Vec<String> {
    let mut all = Vec::new();
    // An index is told of by itself.
    let tables = |schema: &Schema| {
        let bare = |table: &Table| {
            let mut table = table.clone();
            table.indexes.retain(|index| index.origin != Origin::Created);
            (table.name.to_ascii_lowercase(), (table.name.clone(), table))
        };
        schema.tables.iter().filter(|table| table.is_apps_own()).map(bare).collect::<BTreeMap<_, _>>()
    };
    let (before, now) = (tables(wanted), tables(there));
    compare("table", &before, &now, &mut all);
    // Those of a table that only one has are no news.
    let indexes = |schema: &Schema| {
        let own = schema.tables.iter().filter(|table| {
            let name = table.name.to_ascii_lowercase();
            before.contains_key(&name) && now.contains_key(&name)
        });
        own.flat_map(|table| table.indexes.iter().map(|index| (table.name.to_ascii_lowercase(), index.clone())))
            .filter(|(_, index)| index.origin == Origin::Created)
            .map(|(table, index)| (index.name.to_ascii_lowercase(), (index.name.clone(), (table, index))))
            .collect::<BTreeMap<String, (String, (String, Index))>>()
    };
    compare("index", &indexes(wanted), &indexes(there), &mut all);
    let views = |schema: &Schema| {
        let named = schema.views.iter().map(|view| (view.name.to_ascii_lowercase(), (view.name.clone(), view.clone())));
        named.collect::<BTreeMap<_, _>>()
    };
    compare("view", &views(wanted), &views(there), &mut all);
    let triggers = |schema: &Schema| {
        let named = schema.triggers.iter();
        named.map(|trigger| (trigger.name.to_ascii_lowercase(), (trigger.name.clone(), trigger.clone()))).collect()
    };
    compare("trigger", &triggers(wanted), &triggers(there), &mut all);
    all
}

fn compare<T: PartialEq>(
    what: &str,
    wanted: &BTreeMap<String, (String, T)>,
    there: &BTreeMap<String, (String, T)>,
    all: &mut Vec<String>,
) {
    for (key, (name, object)) in wanted {
        match there.get(key) {
            None => all.push(format!("{what} `{name}` is missing")),
            Some((_, other)) if other != object => all.push(format!("{what} `{name}` is another than migrations give")),
            Some(_) => {}
        }
    }
    let extra = there.iter().filter(|(key, _)| !wanted.contains_key(*key));
    all.extend(extra.map(|(_, (name, _))| format!("{what} `{name}` is from no migration")));
}
