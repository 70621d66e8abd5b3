//! What the pragmas do not tell, from the statement that SQLite keeps: checks, generated values, conflict clauses, the
//! names of constraints, deferral, comments. Whatever cannot be taken apart is left out, and nothing fails.

use super::model::{Check, Conflict, Deferral, Sql};
use super::token::{Kind, Token, tokens};

/// A `CREATE TABLE`, as far as the pragmas do not tell it.
#[derive(Debug, Default)]
pub(super) struct Declaration {
    pub(super) columns: Vec<ColumnClause>,
    /// The constraints behind the columns.
    pub(super) clauses: Vec<Clause>,
}

#[derive(Debug)]
pub(super) struct ColumnClause {
    pub(super) name: String,
    pub(super) clauses: Vec<Clause>,
    pub(super) comment: Option<String>,
}

/// A constraint.
#[derive(Debug)]
pub(super) enum Clause {
    PrimaryKey {
        name: Option<String>,
        on_conflict: Option<Conflict>,
        autoincrement: bool,
    },
    NotNull {
        on_conflict: Option<Conflict>,
    },
    /// Without columns where it stands in a column's definition.
    Unique {
        name: Option<String>,
        columns: Vec<String>,
        on_conflict: Option<Conflict>,
    },
    Check(Check),
    Generated(Sql),
    ForeignKey {
        name: Option<String>,
        match_name: Option<String>,
        deferral: Deferral,
    },
}

impl Declaration {
    /// Takes a `CREATE TABLE` apart; nothing if it is none that SQLite would have written.
    pub(super) fn read(sql: &str) -> Option<Self> {
        let all = tokens(sql);
        let open = all.iter().position(|token| token.is_sign("("))?;
        if !all.first()?.is("create") || all[..open].iter().any(|token| token.is("virtual")) {
            return None;
        }
        let body = inside(&all[open..])?;
        let mut declaration = Declaration::default();
        let mut before = 0_usize;
        for mut item in items(body) {
            // Comments in front of a name are its own, but for one that ends the line of what stands before.
            let comma = before.checked_sub(1).map(|at| body[at].end());
            before += item.len() + 1;
            while let (Some(comma), [first, rest @ ..]) = (comma, item)
                && first.kind == Kind::Comment
                && !sql[comma..first.start].contains('\n')
            {
                if let Some(column) = declaration.columns.last_mut().filter(|_| declaration.clauses.is_empty()) {
                    let text = column.comment.take().into_iter().chain(comment(&[*first]));
                    column.comment = Some(text.collect::<Vec<_>>().join(" "));
                }
                item = rest;
            }
            let first = item.iter().find(|token| token.kind != Kind::Comment)?;
            let starts = ["constraint", "primary", "unique", "check", "foreign"];
            if !declaration.columns.is_empty() && starts.iter().any(|word| first.is(word)) {
                declaration.clauses.extend(Cursor::new(sql, item).clauses());
            } else {
                let mut cursor = Cursor::new(sql, item);
                let name = cursor.next()?.name();
                declaration.columns.push(ColumnClause { name, clauses: cursor.clauses(), comment: comment(item) });
            }
        }
        (!declaration.columns.is_empty()).then_some(declaration)
    }
}

/// What stands between the bracket at the start and the one that closes it.
fn inside<'s, 't>(tokens: &'s [Token<'t>]) -> Option<&'s [Token<'t>]> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        if token.is_sign("(") {
            depth += 1;
        } else if token.is_sign(")") {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some(&tokens[1..at]);
            }
        }
    }
    None
}

/// The parts between the commas. A comment behind a comma, in its line, belongs to what stands before it.
fn items<'s, 't>(body: &'s [Token<'t>]) -> Vec<&'s [Token<'t>]> {
    let (mut items, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, token) in body.iter().enumerate() {
        match (token.kind, token.text) {
            (Kind::Sign, "(") => depth += 1,
            (Kind::Sign, ")") => depth = depth.saturating_sub(1),
            (Kind::Sign, ",") if depth == 0 => {
                items.push(&body[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(&body[start..]);
    items
}

/// The comments of a definition in one line, without their signs.
fn comment(item: &[Token<'_>]) -> Option<String> {
    let text = item
        .iter()
        .filter(|token| token.kind == Kind::Comment)
        .map(|token| token.text.trim_start_matches(['-', '/', '*']).trim_end_matches(['*', '/']).trim())
        .collect::<Vec<_>>()
        .join(" ");
    (!text.is_empty()).then_some(text)
}

/// Expressions, names and keywords one after the other, without comments.
pub(super) struct Cursor<'s, 't> {
    sql: &'s str,
    tokens: Vec<Token<'t>>,
    at: usize,
}

impl<'s, 't> Cursor<'s, 't> {
    pub(super) fn new(sql: &'s str, tokens: &[Token<'t>]) -> Self {
        let tokens = tokens.iter().copied().filter(|token| token.kind != Kind::Comment).collect();
        Cursor { sql, tokens, at: 0 }
    }

    pub(super) fn peek(&self) -> Option<&Token<'t>> {
        self.tokens.get(self.at)
    }

    pub(super) fn next(&mut self) -> Option<Token<'t>> {
        let token = self.tokens.get(self.at).copied();
        self.at += 1;
        token
    }

    /// Steps over these keywords, if all of them are next.
    pub(super) fn eat(&mut self, words: &[&str]) -> bool {
        let there =
            words.iter().enumerate().all(|(at, word)| self.tokens.get(self.at + at).is_some_and(|t| t.is(word)));
        if there {
            self.at += words.len();
        }
        there
    }

    pub(super) fn name(&mut self) -> Option<String> {
        self.next().map(|token| token.name())
    }

    /// The text from here to the end.
    pub(super) fn rest(&self) -> Option<&'s str> {
        self.peek().map(|token| self.sql[token.start..].trim())
    }

    /// Steps over a pair of brackets; what is in it, and its tokens.
    pub(super) fn group(&mut self) -> Option<(Sql, Vec<Token<'t>>)> {
        let here = self.tokens.get(self.at..)?;
        if !here.first()?.is_sign("(") {
            return None;
        }
        let inner = inside(here)?.to_vec();
        self.at += inner.len() + 2;
        let text = match (inner.first(), inner.last()) {
            (Some(first), Some(last)) => &self.sql[first.start..last.end()],
            _ => "",
        };
        Some((Sql::new(text), inner))
    }

    /// The first names between the commas of a pair of brackets.
    fn names(&mut self) -> Vec<String> {
        let Some((_, inner)) = self.group() else { return Vec::new() };
        items(&inner).into_iter().filter_map(|item| item.first().map(Token::name)).collect()
    }

    fn on_conflict(&mut self) -> Option<Conflict> {
        if !self.eat(&["on", "conflict"]) {
            return None;
        }
        let word = self.next()?;
        [
            ("rollback", Conflict::Rollback),
            ("abort", Conflict::Abort),
            ("fail", Conflict::Fail),
            ("ignore", Conflict::Ignore),
            ("replace", Conflict::Replace),
        ]
        .into_iter()
        .find_map(|(name, conflict)| word.is(name).then_some(conflict))
    }

    fn clauses(&mut self) -> Vec<Clause> {
        let mut clauses = Vec::new();
        let mut name = None;
        while let Some(token) = self.peek().copied() {
            if self.eat(&["constraint"]) {
                name = self.name();
                continue;
            }
            let clause = if self.eat(&["primary", "key"]) {
                self.names();
                let _ = self.eat(&["asc"]) || self.eat(&["desc"]);
                let on_conflict = self.on_conflict();
                // In brackets it can stand with the column: `PRIMARY KEY (id AUTOINCREMENT)`, which the engine tells.
                Some(Clause::PrimaryKey { name: name.take(), on_conflict, autoincrement: self.eat(&["autoincrement"]) })
            } else if self.eat(&["not", "null"]) {
                Some(Clause::NotNull { on_conflict: self.on_conflict() })
            } else if self.eat(&["unique"]) {
                Some(Clause::Unique { name: name.take(), columns: self.names(), on_conflict: self.on_conflict() })
            } else if self.eat(&["check"]) {
                let expression = self.group().map(|(expression, _)| expression);
                let _ = self.on_conflict();
                expression.map(|expression| Clause::Check(Check { name: name.take(), expression }))
            } else if self.eat(&["as"]) {
                self.group().map(|(expression, _)| Clause::Generated(expression))
            } else if self.eat(&["default"]) {
                self.default();
                None
            } else if self.eat(&["collate"]) {
                self.next();
                None
            } else if self.eat(&["foreign", "key"]) {
                self.names();
                continue; // its name is for what follows
            } else if self.eat(&["references"]) {
                Some(self.references(name.take()))
            } else {
                self.next();
                if !token.is_sign(",") && !token.is_sign("(") {
                    continue;
                }
                // A length in a type, as in `VARCHAR (10)`.
                if token.is_sign("(") {
                    self.at -= 1;
                    if self.group().is_none() {
                        self.next();
                    }
                }
                None
            };
            clauses.extend(clause);
        }
        clauses
    }

    /// A default is one token, one with a sign, or brackets; the engine tells which.
    fn default(&mut self) {
        if self.group().is_some() {
            return;
        }
        if self.next().is_some_and(|token| token.is_sign("-") || token.is_sign("+")) {
            self.next();
        }
    }

    fn references(&mut self, name: Option<String>) -> Clause {
        self.next();
        self.names();
        let (mut match_name, mut deferral) = (None, Deferral::Immediate);
        loop {
            if self.eat(&["on", "delete"]) || self.eat(&["on", "update"]) {
                let _ = self.eat(&["set"]) || self.eat(&["no"]);
                self.next();
            } else if self.eat(&["match"]) {
                match_name = self.name();
            } else if self.eat(&["not", "deferrable"]) {
                let _ = self.eat(&["initially", "deferred"]) || self.eat(&["initially", "immediate"]);
            } else if self.eat(&["deferrable"]) {
                if self.eat(&["initially", "deferred"]) {
                    deferral = Deferral::Deferred;
                }
                let _ = self.eat(&["initially", "immediate"]);
            } else {
                return Clause::ForeignKey { name, match_name, deferral };
            }
        }
    }
}

/// What a `CREATE INDEX` says beside the names of its columns.
pub(super) struct IndexDeclaration {
    /// Between the commas.
    pub(super) parts: Vec<Sql>,
    pub(super) partial: Option<Sql>,
}

impl IndexDeclaration {
    pub(super) fn read(sql: &str) -> Option<Self> {
        let all = tokens(sql);
        let open = all.iter().position(|token| token.is_sign("("))?;
        let mut cursor = Cursor::new(sql, &all[open..]);
        let (_, inner) = cursor.group()?;
        let parts = items(&inner)
            .into_iter()
            .map(|item| {
                let item = without_order(item);
                let text = item.first().zip(item.last()).map(|(first, last)| &sql[first.start..last.end()]);
                Sql::new(text.unwrap_or_default())
            })
            .collect();
        let partial = if cursor.eat(&["where"]) { cursor.rest().map(Sql::new) } else { None };
        Some(IndexDeclaration { parts, partial })
    }
}

/// An indexed expression without what the engine tells of it: its collation and its order.
fn without_order<'s, 't>(mut item: &'s [Token<'t>]) -> &'s [Token<'t>] {
    while let [rest @ .., last] = item
        && (last.is("asc") || last.is("desc"))
    {
        item = rest;
    }
    match item {
        [rest @ .., word, _] if word.is("collate") && !rest.is_empty() => rest,
        _ => item,
    }
}

/// The text behind the name of an object: `CREATE VIEW name …`.
pub(super) fn behind_name(sql: &str, kind: &str) -> Option<Sql> {
    let all = tokens(sql);
    let at = all.iter().position(|token| token.is(kind))?;
    let mut cursor = Cursor::new(sql, &all[at + 1..]);
    cursor.eat(&["if", "not", "exists"]);
    cursor.next();
    while cursor.peek().is_some_and(|token| token.is_sign(".")) {
        cursor.next();
        cursor.next();
    }
    cursor.rest().map(Sql::new)
}

/// When a trigger fires, and on which rows.
pub(super) fn trigger(definition: &str) -> (String, Option<Sql>) {
    let all = tokens(definition);
    let mut cursor = Cursor::new(definition, &all);
    let mut fires: Vec<String> = Vec::new();
    while let Some(token) = cursor.next() {
        if token.is("on") {
            break;
        }
        match token.text {
            "," => fires.last_mut().into_iter().for_each(|word| word.push(',')),
            _ if fires.iter().any(|word| word == "OF") => fires.push(token.name()),
            text => fires.push(text.to_ascii_uppercase()),
        }
    }
    if fires.first().is_some_and(|word| ["INSERT", "UPDATE", "DELETE"].contains(&word.as_str())) {
        // What SQLite does where nothing is said.
        fires.insert(0, "BEFORE".to_owned());
    }
    while let Some(token) = cursor.next() {
        if token.is("begin") {
            break;
        }
        if token.is("when") {
            let Some(start) = cursor.peek().map(|token| token.start) else { break };
            let mut end = start;
            let mut cases = 0_usize;
            while let Some(token) = cursor.next() {
                if token.is("begin") && cases == 0 {
                    break;
                }
                cases += usize::from(token.is("case"));
                cases -= usize::from(token.is("end") && cases > 0);
                end = token.end();
            }
            return (fires.join(" "), Some(Sql::new(definition[start..end].trim())));
        }
    }
    (fires.join(" "), None)
}

/// What a virtual table was made of: its module and the arguments.
pub(super) fn module(sql: &str) -> (String, Vec<Sql>) {
    let all = tokens(sql);
    let Some(at) = all.iter().position(|token| token.is("using")) else { return (String::new(), Vec::new()) };
    let mut cursor = Cursor::new(sql, &all[at + 1..]);
    let module = cursor.name().unwrap_or_default();
    let arguments = cursor.group().map_or_else(Vec::new, |(_, inner)| {
        items(&inner)
            .into_iter()
            .filter_map(|item| item.first().zip(item.last()))
            .map(|(first, last)| Sql::new(&sql[first.start..last.end()]))
            .collect()
    });
    (module, arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(sql: &str) -> Declaration {
        Declaration::read(sql).unwrap()
    }

    #[test]
    fn constraints_are_found_wherever_they_stand() {
        let declaration = read(
            "CREATE TABLE t (a INTEGER CONSTRAINT k PRIMARY KEY ON CONFLICT REPLACE AUTOINCREMENT, -- the key
                b VARCHAR (10) NOT NULL ON CONFLICT FAIL DEFAULT (upper('),(')) CHECK (b <> 'check (') COLLATE NOCASE,
                \"check\" AS (a + (1)) STORED, c REFERENCES p (x) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
                CONSTRAINT u UNIQUE (b, c DESC) CONSTRAINT f FOREIGN KEY (a) REFERENCES q MATCH FULL, CHECK (a > 0))",
        );
        let names: Vec<&str> = declaration.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "check", "c"]);
        let all = format!("{declaration:?}");
        for wanted in [
            "PrimaryKey { name: Some(\"k\"), on_conflict: Some(Replace), autoincrement: true }",
            "NotNull { on_conflict: Some(Fail) }",
            "Check(Check { name: None, expression: \"b <> 'check ('\" })",
            "Generated(\"a + (1)\")",
            "ForeignKey { name: None, match_name: None, deferral: Deferred }",
            "Unique { name: Some(\"u\"), columns: [\"b\", \"c\"], on_conflict: None }",
            "ForeignKey { name: Some(\"f\"), match_name: Some(\"FULL\"), deferral: Immediate }",
            "Check(Check { name: None, expression: \"a > 0\" })",
        ] {
            assert!(all.contains(wanted), "{wanted} in {all}");
        }
        assert_eq!(declaration.clauses.len(), 3);
        assert_eq!(declaration.columns[0].comment.as_deref(), Some("the key"));
        assert_eq!(declaration.columns[1].comment, None);
    }

    #[test]
    fn what_is_no_table_is_left_alone() {
        for sql in [
            "",
            "CREATE",
            "CREATE TABLE t",
            "CREATE TABLE t (",
            "CREATE TABLE t ()",
            "CREATE VIRTUAL TABLE t USING m(a)",
        ] {
            assert!(Declaration::read(sql).is_none(), "{sql}");
        }
    }

    #[test]
    fn a_trigger_tells_when_it_fires() {
        let (fires, condition) = trigger("update of a, \"b c\" ON t WHEN CASE WHEN 1 THEN 2 END BEGIN SELECT 1; END");
        assert_eq!(fires, "BEFORE UPDATE OF a, b c");
        assert_eq!(condition.unwrap().text(), "CASE WHEN 1 THEN 2 END");
        assert_eq!(trigger("INSTEAD OF DELETE ON v BEGIN SELECT 1; END"), ("INSTEAD OF DELETE".to_owned(), None));
        assert_eq!(trigger("").0, "");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_fail(parts in proptest::collection::vec(proptest::sample::select(vec![
            "create", "table", "virtual", "using", "trigger", "on", "when", "begin", "end", "case", "of", "(", ")", ",", ".", ";", "-", "'", "\"", "[",
            "]", "`", "--", "/*", "*/", "\n", "x'", "constraint", "primary key", "not", "null", "unique", "check", "default", "collate", "references",
            "deferrable", "initially", "foreign key", "as", "generated", "conflict", "where", "desc", "1e", "é", "\u{1f600}", "name", "autoincrement",
        ]), 0..40), spaced: bool) {
            let text = parts.join(if spaced { " " } else { "" });
            for sql in [text.clone(), format!("CREATE TABLE t ({text})"), format!("CREATE TABLE t (a {text}, b)")] {
                let _ = Declaration::read(&sql);
                let _ = (IndexDeclaration::read(&sql).is_some(), behind_name(&sql, "table"), trigger(&sql), module(&sql));
                let _ = crate::schema::Sql::new(sql).meaning();
            }
        }
    }

    #[test]
    fn an_index_is_cut_into_its_parts() {
        let index =
            IndexDeclaration::read("CREATE INDEX i ON t (lower(a, ',') COLLATE nocase DESC, b) WHERE c > 0").unwrap();
        assert_eq!(index.parts.iter().map(Sql::text).collect::<Vec<_>>(), ["lower(a, ',')", "b"]);
        assert_eq!(index.partial.unwrap().text(), "c > 0");
    }
}
