//! Directives: comments at the head of a migration, `-- lifeboat: word [argument …]`.

/// What the head of a file asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Directives {
    /// Runs outside any transaction, as a group of its own: `VACUUM`, a journal mode.
    pub(crate) no_transaction: bool,
    /// Runs with foreign keys on, as a group of its own, so that cascades happen.
    pub(crate) foreign_keys_on: bool,
    /// Statements allowed by name, in small letters.
    pub(crate) allow: Vec<String>,
    /// A directive that nobody knows.
    pub(crate) unknown: Option<String>,
}

impl Directives {
    /// Reads the comments before the first statement.
    pub(crate) fn read(text: &str) -> Self {
        let mut found = Directives::default();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_start();
        // Every launch reads the heads of all that was embedded, and most begin with their first statement.
        if !text.starts_with("--") {
            return found;
        }
        for line in text.lines().map(str::trim) {
            if line.is_empty() {
                continue;
            }
            let Some(comment) = line.strip_prefix("--") else { break };
            let Some(words) = comment.trim().strip_prefix("lifeboat:") else { continue };
            let words: Vec<String> =
                words.split([' ', ',', '\t']).filter(|w| !w.is_empty()).map(str::to_lowercase).collect();
            match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                ["no-transaction"] => found.no_transaction = true,
                ["foreign-keys", "on"] => found.foreign_keys_on = true,
                ["foreign-keys", "off"] => {}
                ["allow", names @ ..] if !names.is_empty() => {
                    found.allow.extend(names.iter().map(|name| (*name).to_owned()));
                }
                // For other commands; the run has no use for them.
                ["compatible-with", _] | ["renamed", ..] => {}
                _ => found.unknown = Some(words.join(" ")),
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_head_of_the_file_is_read() {
        let text = "\u{feff}-- Makes the file small.\n\n-- lifeboat: no-transaction\n--lifeboat: allow attach, Foo\nVACUUM;\n-- lifeboat: foreign-keys on\n";
        let read = Directives::read(text);
        assert!(read.no_transaction);
        assert!(!read.foreign_keys_on);
        assert_eq!(read.allow, ["attach", "foo"]);
        assert_eq!(read.unknown, None);
    }

    #[test]
    fn an_unknown_word_is_kept_for_the_error() {
        assert_eq!(Directives::read("-- lifeboat: no-transation\n").unknown.as_deref(), Some("no-transation"));
    }
}
