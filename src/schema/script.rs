//! A schema as a script that makes it.

use std::collections::BTreeSet;

use super::model::{Owner, Schema, Table, TableKind};
use super::token::{Kind, tokens};

impl Schema {
    /// The statements that make this schema in an empty database: tables after those that they refer to (where they refer
    /// to each other in a circle, one is first), virtual tables, indexes, views after those that they read, triggers. What
    /// SQLite and its modules make by themselves is left out, and so are the tables in which migrations are written down.
    #[must_use]
    pub fn script(&self) -> String {
        let tables: Vec<&Table> = self.tables_in_order();
        let is_virtual = |table: &&&Table| matches!(table.kind, TableKind::Virtual { .. });
        let own = tables.iter().filter(|table| !is_virtual(table)).chain(tables.iter().filter(is_virtual));
        let mut statements: Vec<&str> = own.filter_map(|table| table.sql.text()).collect();
        statements.extend(tables.iter().flat_map(|table| &table.indexes).filter_map(|index| index.sql.text()));
        statements.extend(self.views_in_order().into_iter().filter_map(|at| self.views[at].sql.text()));
        let foreign = |name: &str| self.table(name).is_some_and(|table| !is_made(table));
        let triggers = self.triggers.iter().filter(|trigger| !foreign(&trigger.table));
        statements.extend(triggers.filter_map(|trigger| trigger.sql.text()));
        let mut script = String::new();
        let mut was_long = false;
        for statement in statements {
            let is_long = statement.contains('\n');
            if !script.is_empty() && (is_long || was_long) {
                script.push('\n');
            }
            was_long = is_long;
            script.push_str(statement);
            // Behind a comment, a semicolon would be a part of it.
            let in_comment = tokens(statement).last().is_some_and(|last| last.kind == Kind::Comment);
            script.push_str(if in_comment { "\n;\n" } else { ";\n" });
        }
        script
    }

    /// Parents first.
    fn tables_in_order(&self) -> Vec<&Table> {
        let own: Vec<&Table> = self.tables.iter().filter(|table| is_made(table)).collect();
        let place = |name: &str| own.iter().position(|table| table.name.eq_ignore_ascii_case(name));
        let parents = |at: usize| own[at].foreign_keys.iter().filter_map(|key| place(&key.parent)).collect();
        in_order(own.len(), parents).into_iter().map(|at| own[at]).collect()
    }

    /// Those first that others name.
    fn views_in_order(&self) -> Vec<usize> {
        let names = |at: usize| {
            let all = tokens(self.views[at].definition.text());
            let named = all.iter().filter(|token| matches!(token.kind, Kind::Word | Kind::Quoted));
            let named: BTreeSet<String> = named.map(|token| token.name().to_ascii_lowercase()).collect();
            let others = self.views.iter().enumerate();
            others.filter(|(_, view)| named.contains(&view.name.to_ascii_lowercase())).map(|(at, _)| at).collect()
        };
        in_order(self.views.len(), names)
    }
}

fn is_made(table: &Table) -> bool {
    table.owner == Owner::App && !matches!(table.kind, TableKind::Shadow { .. })
}

/// Each after those that it needs; a circle is cut where it is entered.
fn in_order(count: usize, needs: impl Fn(usize) -> Vec<usize>) -> Vec<usize> {
    // The last is taken first.
    let needs = |at: usize| needs(at).into_iter().rev().collect::<Vec<_>>();
    let mut order = Vec::with_capacity(count);
    let mut seen = vec![false; count];
    for start in 0..count {
        // What is begun, and what of its needs is left: no recursion, since a chain may be long.
        let mut open: Vec<(usize, Vec<usize>)> = Vec::new();
        if !std::mem::replace(&mut seen[start], true) {
            open.push((start, needs(start)));
        }
        while let Some((at, left)) = open.last_mut() {
            match left.pop() {
                Some(next) if !std::mem::replace(&mut seen[next], true) => open.push((next, needs(next))),
                Some(_) => {}
                None => {
                    order.push(*at);
                    open.pop();
                }
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_comes_first_and_a_circle_ends() {
        let needs = |at: usize| vec![vec![1], vec![2], vec![0], vec![3, 0], vec![]][at].clone();
        assert_eq!(in_order(5, needs), [2, 1, 0, 3, 4]);
        let chain = |at: usize| if at + 1 < 100_000 { vec![at + 1] } else { Vec::new() };
        assert_eq!(in_order(100_000, chain)[0], 99_999);
    }
}
