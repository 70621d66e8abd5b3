//! SQL cut into tokens, as SQLite cuts it. What it accepted is cut without a loss; of anything else something sensible is
//! made, so that a schema that was written by hand can always be shown.
//!
//! (The crates that parse SQLite's grammar keep neither the spelling nor the places, and refuse what they do not know; one
//! of them compiles C while it is built. The pragmas tell nearly all that they would.)

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword, or a name without quotes.
    Word,
    /// A name in `"…"`, `` `…` `` or `[…]`. In double quotes it may be a text too.
    Quoted,
    Text,
    Number,
    Blob,
    /// A bracket, a comma, an operator's character.
    Sign,
    Comment,
}

/// A token with its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) start: usize,
}

impl Token<'_> {
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    pub(super) fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    pub(super) fn is_sign(&self, sign: &str) -> bool {
        self.kind == Kind::Sign && self.text == sign
    }

    /// What the token names, without its quotes.
    pub(super) fn name(&self) -> String {
        unquoted(self.text)
    }
}

/// The tokens of a text, comments among them.
pub(super) fn tokens(sql: &str) -> Vec<Token<'_>> {
    let bytes = sql.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let next = bytes.get(at + 1).copied();
        let kind = match bytes[at] {
            byte if byte.is_ascii_whitespace() || byte == 0x0b => {
                at += 1;
                continue;
            }
            b'-' if next == Some(b'-') => {
                at = find(bytes, at, |bytes, at| bytes[at] == b'\n');
                Kind::Comment
            }
            b'/' if next == Some(b'*') => {
                at = find(bytes, at + 2, |bytes, at| bytes[at..].starts_with(b"*/")).saturating_add(2);
                Kind::Comment
            }
            quote @ (b'\'' | b'"' | b'`') => {
                at = end_of_quoted(bytes, at, quote);
                if quote == b'\'' { Kind::Text } else { Kind::Quoted }
            }
            b'[' => {
                at = find(bytes, at, |bytes, at| bytes[at] == b']') + 1;
                Kind::Quoted
            }
            b'x' | b'X' if next == Some(b'\'') => {
                at = end_of_quoted(bytes, at + 1, b'\'');
                Kind::Blob
            }
            byte if byte.is_ascii_digit() || byte == b'.' && next.is_some_and(|next| next.is_ascii_digit()) => {
                at = end_of_number(bytes, at);
                Kind::Number
            }
            byte if is_of_word(byte) => {
                at = find(bytes, at, |bytes, at| !is_of_word(bytes[at]));
                Kind::Word
            }
            _ => {
                at += 1;
                Kind::Sign
            }
        };
        at = at.min(bytes.len());
        tokens.push(Token { kind, text: &sql[start..at], start });
    }
    tokens
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn find(bytes: &[u8], from: usize, is_there: impl Fn(&[u8], usize) -> bool) -> usize {
    (from..bytes.len()).find(|at| is_there(bytes, *at)).unwrap_or(bytes.len())
}

/// A quote inside is doubled.
fn end_of_quoted(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match (bytes[at] == quote, bytes.get(at + 1) == Some(&quote)) {
            (true, true) => at += 2,
            (true, false) => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// `1`, `.5`, `1e-3`, `0xFF`, `1_000`.
fn end_of_number(bytes: &[u8], start: usize) -> usize {
    let is_hex = bytes[start] == b'0' && matches!(bytes.get(start + 1), Some(b'x' | b'X'));
    let mut at = start + 1;
    while at < bytes.len() {
        let is_sign_of_exponent = matches!(bytes[at], b'+' | b'-') && matches!(bytes[at - 1], b'e' | b'E') && !is_hex;
        if !(is_of_word(bytes[at]) || bytes[at] == b'.' || is_sign_of_exponent) {
            break;
        }
        at += 1;
    }
    at
}

/// A name without its quotes.
fn unquoted(text: &str) -> String {
    let Some(first) = text.chars().next() else { return String::new() };
    let close = if first == '[' { ']' } else { first };
    let inner = |text: &str| text[1..].strip_suffix(close).unwrap_or(&text[1..]).to_owned();
    match first {
        '[' => inner(text),
        '"' | '`' | '\'' => inner(text).replace(&format!("{first}{first}"), &first.to_string()),
        _ => text.to_owned(),
    }
}

/// A name as SQL takes it: in quotes where it must be.
pub(crate) fn quoted(name: &str) -> String {
    if is_plain(name) { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// Whether a name needs no quotes.
fn is_plain(name: &str) -> bool {
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    starts
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !KEYWORDS.iter().any(|keyword| name.eq_ignore_ascii_case(keyword))
}

/// The text as it is compared: without comments and white space, names and keywords in small letters, names in quotes only
/// where they need them.
pub(super) fn meaning(sql: &str) -> String {
    let mut meaning = String::with_capacity(sql.len());
    for token in tokens(sql) {
        let text = match token.kind {
            Kind::Comment => continue,
            Kind::Word | Kind::Number | Kind::Blob => token.text.to_ascii_lowercase(),
            Kind::Quoted => quoted(&token.name().to_ascii_lowercase()),
            Kind::Text | Kind::Sign => token.text.to_owned(),
        };
        if !meaning.is_empty() {
            meaning.push(' ');
        }
        meaning.push_str(&text);
    }
    meaning
}

/// <https://sqlite.org/lang_keywords.html>, with the words that stand for a value.
const KEYWORDS: &[&str] = &[
    "abort",
    "action",
    "add",
    "after",
    "all",
    "alter",
    "always",
    "analyze",
    "and",
    "as",
    "asc",
    "attach",
    "autoincrement",
    "before",
    "begin",
    "between",
    "by",
    "cascade",
    "case",
    "cast",
    "check",
    "collate",
    "column",
    "commit",
    "conflict",
    "constraint",
    "create",
    "cross",
    "current",
    "current_date",
    "current_time",
    "current_timestamp",
    "database",
    "default",
    "deferrable",
    "deferred",
    "delete",
    "desc",
    "detach",
    "distinct",
    "do",
    "drop",
    "each",
    "else",
    "end",
    "escape",
    "except",
    "exclude",
    "exclusive",
    "exists",
    "explain",
    "fail",
    "false",
    "filter",
    "first",
    "following",
    "for",
    "foreign",
    "from",
    "full",
    "generated",
    "glob",
    "group",
    "groups",
    "having",
    "if",
    "ignore",
    "immediate",
    "in",
    "index",
    "indexed",
    "initially",
    "inner",
    "insert",
    "instead",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "key",
    "last",
    "left",
    "like",
    "limit",
    "match",
    "materialized",
    "natural",
    "no",
    "not",
    "nothing",
    "notnull",
    "null",
    "nulls",
    "of",
    "offset",
    "on",
    "or",
    "order",
    "others",
    "outer",
    "over",
    "partition",
    "plan",
    "pragma",
    "preceding",
    "primary",
    "query",
    "raise",
    "range",
    "recursive",
    "references",
    "regexp",
    "reindex",
    "release",
    "rename",
    "replace",
    "restrict",
    "returning",
    "right",
    "rollback",
    "row",
    "rows",
    "savepoint",
    "select",
    "set",
    "table",
    "temp",
    "temporary",
    "then",
    "ties",
    "to",
    "transaction",
    "trigger",
    "true",
    "unbounded",
    "union",
    "unique",
    "update",
    "using",
    "vacuum",
    "values",
    "view",
    "virtual",
    "when",
    "where",
    "window",
    "with",
    "without",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(sql: &str) -> Vec<&str> {
        tokens(sql).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn every_quote_comment_and_number_of_sqlite_is_one_token() {
        let sql = "a\"b\"\"c\"[d e]`f`'it''s'x'00'-- to the end, ' too\n/* a * / b */1.5e-3,.5 0xFE-1_000 é$1;";
        assert_eq!(
            cut(sql),
            [
                "a",
                "\"b\"\"c\"",
                "[d e]",
                "`f`",
                "'it''s'",
                "x'00'",
                "-- to the end, ' too",
                "/* a * / b */",
                "1.5e-3",
                ",",
                ".5",
                "0xFE",
                "-",
                "1_000",
                "é$1",
                ";"
            ]
        );
        let names: Vec<String> = tokens("\"a\"\"b\" [c\"] `d``` e").iter().map(Token::name).collect();
        assert_eq!(names, ["a\"b", "c\"", "d`", "e"]);
    }

    #[test]
    fn what_is_not_closed_ends_with_the_text() {
        for sql in ["'a", "\"a", "[a", "`", "/* a", "/*", "--", "x'", "'a''", "é'", "\u{1f600}[", "1e", "."] {
            assert_eq!(cut(sql).concat(), sql);
            let _ = tokens(sql).iter().map(Token::name).collect::<Vec<_>>();
        }
    }

    #[test]
    fn two_spellings_mean_the_same() {
        assert_eq!(meaning("\"a\" /* x */ IS NOT\tNull"), meaning("A is not\n  null -- y"));
        assert_ne!(meaning("'A'"), meaning("'a'"));
        assert_ne!(meaning("\"null\""), meaning("null"));
        assert_ne!(meaning("[a b]"), meaning("a b"));
    }

    #[test]
    fn a_name_gets_quotes_where_it_must() {
        assert_eq!(
            ["a_1", "1a", "a b", "order", "a\"b", ""].map(quoted).join(" "),
            "a_1 \"1a\" \"a b\" \"order\" \"a\"\"b\" \"\""
        );
    }
}
