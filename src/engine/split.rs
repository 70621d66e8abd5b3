//! Splits a migration into statements.
//!
//! SQLite would do it, one prepare after the other on the rest of the text; but it copies that rest each time, so a
//! file of 50 MB with half a million statements would never end. The rules are those of `sqlite3_complete()`
//! (<https://sqlite.org/c3ref/complete.html>): a semicolon ends a statement unless it is in a string, a name, a comment,
//! or in the body of a trigger, which ends with `;END;`.

/// A statement and where its first token begins, in bytes from the start of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    pub(crate) start: usize,
    pub(crate) sql: &'a str,
}

/// The statements of `text`; stretches with nothing but white space and comments are passed over.
pub(crate) fn statements(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < text.len() {
            let (piece, end) = next(text, at);
            at = end;
            if piece.is_some() {
                return piece;
            }
        }
        None
    })
}

/// The line and column, from 1, of a byte of the text.
pub(crate) fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    // Characters, not bytes; a continuation byte is no character, nor is a byte order mark.
    let start_of_character = |byte: &&u8| **byte & 0xc0 != 0x80;
    let mark = usize::from(line == 1 && before.starts_with("\u{feff}".as_bytes()));
    (line, before[line_start..].iter().filter(start_of_character).count() + 1 - mark)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Normal,
    Explain,
    Create,
    Trigger,
    TriggerSemicolon,
    TriggerEnd,
}

enum Token {
    Semicolon,
    Space,
    Explain,
    Create,
    Temporary,
    Trigger,
    End,
    Other,
}

fn next(text: &str, from: usize) -> (Option<Piece<'_>>, usize) {
    let bytes = text.as_bytes();
    let mut state = State::Start;
    let mut start = None;
    let mut at = from;
    while at < bytes.len() {
        let (token, end) = token(bytes, at);
        if !matches!(token, Token::Space | Token::Semicolon) {
            start.get_or_insert(at);
        }
        at = end;
        state = match (state, token) {
            (state, Token::Space) => state,
            (State::Trigger | State::TriggerSemicolon, Token::Semicolon) => State::TriggerSemicolon,
            (_, Token::Semicolon) => {
                // Also after `END` of a trigger.
                let piece = start.map(|start| Piece { start, sql: &text[start..at] });
                return (piece, at);
            }
            (State::Start, Token::Explain) => State::Explain,
            (State::Start | State::Explain, Token::Create) => State::Create,
            (State::Explain, Token::Other) => State::Explain, // EXPLAIN QUERY PLAN
            (State::Create, Token::Temporary) => State::Create,
            (State::Create, Token::Trigger) => State::Trigger,
            (State::TriggerSemicolon, Token::End) => State::TriggerEnd,
            (State::Trigger | State::TriggerSemicolon | State::TriggerEnd, _) => State::Trigger,
            _ => State::Normal,
        };
    }
    (start.map(|start| Piece { start, sql: &text[start..] }), at)
}

fn token(bytes: &[u8], at: usize) -> (Token, usize) {
    let rest = &bytes[at..];
    match rest[0] {
        b';' => (Token::Semicolon, at + 1),
        b' ' | b'\t' | b'\n' | b'\r' | b'\x0c' => {
            // A vertical tab is white space after other white space, and an error elsewhere.
            let more = |byte: &&u8| matches!(**byte, b' ' | b'\t'..=b'\r');
            (Token::Space, at + rest.iter().take_while(more).count())
        }
        b'-' if rest.get(1) == Some(&b'-') => {
            (Token::Space, rest.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |n| at + n))
        }
        // At the very end of the text it opens nothing: SQLite reads a slash, and refuses it.
        b'/' if rest.get(1) == Some(&b'*') && rest.len() > 2 => {
            let end = rest[2..].windows(2).position(|pair| pair == b"*/");
            (Token::Space, end.map_or(bytes.len(), |n| at + 2 + n + 2))
        }
        // A doubled quote reads as two strings side by side, which ends in the same place.
        quote @ (b'\'' | b'"' | b'`') => (Token::Other, after(rest, quote).map_or(bytes.len(), |n| at + n)),
        b'[' => (Token::Other, after(rest, b']').map_or(bytes.len(), |n| at + n)),
        0xef if rest.starts_with("\u{feff}".as_bytes()) => (Token::Space, at + 3),
        byte if is_word(byte) => {
            let length = rest.iter().take_while(|byte| is_word(**byte)).count();
            let word = &rest[..length];
            let is = |keyword: &str| word.eq_ignore_ascii_case(keyword.as_bytes());
            let token = if is("create") {
                Token::Create
            } else if is("trigger") {
                Token::Trigger
            } else if is("temp") || is("temporary") {
                Token::Temporary
            } else if is("end") {
                Token::End
            } else if is("explain") {
                Token::Explain
            } else {
                Token::Other
            };
            (token, at + length)
        }
        _ => (Token::Other, at + 1),
    }
}

fn after(rest: &[u8], close: u8) -> Option<usize> {
    rest[1..].iter().position(|byte| *byte == close).map(|n| n + 2)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        statements(text).map(|piece| piece.sql).collect()
    }

    #[test]
    fn semicolons_in_strings_names_comments_and_triggers_end_nothing() {
        let trigger = "CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN\n SELECT CASE WHEN 1 THEN 2 END; -- ;END;\n DELETE FROM b; END;";
        let text = format!(
            "\u{feff}-- head; still\nSELECT 'a;''b';;\n /* ; */ SELECT \"a;b\", [c;d], `e;f`; {trigger} SELECT 1 -- no end"
        );
        assert_eq!(split(&text), ["SELECT 'a;''b';", "SELECT \"a;b\", [c;d], `e;f`;", trigger, "SELECT 1 -- no end"]);
    }

    #[test]
    fn a_table_named_trigger_is_no_trigger() {
        assert_eq!(split("CREATE TABLE trigger_log(a); CREATE INDEX end ON a(b); END;").len(), 3);
        assert_eq!(split("explain query plan create trigger x begin select 1; end; select 2").len(), 2);
    }

    #[test]
    fn nothing_but_comments_is_nothing() {
        assert_eq!(split("\n-- a\n/* b */ ; ;\n/* never closed"), Vec::<&str>::new());
        assert_eq!(split(""), Vec::<&str>::new());
    }

    #[test]
    fn places_are_counted_in_characters() {
        let text = "\u{feff}-- é\nSELECT 'ä', x;";
        let at = text.find('x').unwrap();
        assert_eq!(line_and_column(text, at), (2, 13));
        assert_eq!(line_and_column(text, 3), (1, 1));
    }
}
