//! Where text goes: results on stdout, all else on stderr. A stream that nobody reads any more is no failure.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

use super::value::Color;

pub(super) const ERROR: Style = AnsiColor::Red.on_default().bold();
pub(super) const WARNING: Style = AnsiColor::Yellow.on_default();
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const FAINT: Style = Style::new().dimmed();

/// The two streams, and how text for people is put.
#[derive(Debug, Clone)]
pub(super) struct Screen {
    choice: ColorChoice,
    folder: PathBuf,
    pub(super) quiet: bool,
    pub(super) verbose: bool,
}

impl Screen {
    pub(super) fn new(color: Color, folder: &Path, quiet: bool, verbose: bool) -> Self {
        let choice = match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        Screen { choice, folder: folder.to_owned(), quiet, verbose }
    }

    /// A result.
    pub(super) fn print(&self, text: &str) {
        let mut stdout = AutoStream::new(io::stdout(), self.choice).lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            // Whoever reads has seen enough, as `head` does.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Err(error) => self.warn(&format!("the result cannot be written: {error}")),
            Ok(()) => {}
        }
    }

    /// A line that is no result.
    pub(super) fn tell(&self, line: &str) {
        let mut stderr = AutoStream::new(io::stderr(), self.choice).lock();
        // One call, so that lines of several processes do not mix; and with nobody there to read it, so be it.
        let _ = stderr.write_all(format!("{line}\n").as_bytes());
    }

    /// A question, which is answered on the same line.
    pub(super) fn ask(&self, question: &str) {
        let mut stderr = AutoStream::new(io::stderr(), self.choice).lock();
        let _ = stderr.write_all(question.as_bytes()).and_then(|()| stderr.flush());
    }

    /// Something that is good to know.
    pub(super) fn note(&self, text: &str) {
        if !self.quiet {
            self.tell(&format!("{FAINT}note:{FAINT:#} {}", self.text(text)));
        }
    }

    /// Something that should be looked at.
    pub(super) fn warn(&self, text: &str) {
        self.tell(&format!("{WARNING}warning:{WARNING:#} {}", self.text(text)));
    }

    /// A line for people: `paths` as they lie from here, and no control characters.
    pub(super) fn text(&self, text: &str) -> String {
        let here = format!("`{}{MAIN_SEPARATOR}", self.folder.display());
        // With `/` as working directory there is nothing to leave out.
        let text = if self.folder.parent().is_some() { text.replace(&here, "`") } else { text.to_owned() };
        harmless(&text, false)
    }

    /// A path, as it lies from here.
    pub(super) fn path(&self, path: &Path) -> String {
        self.text(&format!("`{}`", path.display()))
    }

    /// Whether lines can be drawn again on stderr.
    pub(super) fn can_redraw() -> bool {
        io::stderr().is_terminal()
    }
}

/// Text of a file or a database without what would steer a terminal.
pub(super) fn harmless(text: &str, keep_lines: bool) -> String {
    let mut harmless = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' if keep_lines => harmless.push(character),
            // Of a line end as Windows has it, the other half.
            '\r' if keep_lines => {}
            character if character.is_control() => {
                let _ = write!(harmless, "{}", character.escape_default());
            }
            character => harmless.push(character),
        }
    }
    harmless
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_shown_as_they_lie_from_here() {
        let screen = Screen::new(Color::Never, Path::new("/home/me"), false, false);
        assert_eq!(screen.text("`/home/me/.data/app.db` and `/home/mei/x`"), "`.data/app.db` and `/home/mei/x`");
        assert_eq!(screen.path(Path::new("/home/me/a.db")), "`a.db`");
        let root = Screen::new(Color::Never, Path::new("/"), false, false);
        assert_eq!(root.path(Path::new("/a.db")), "`/a.db`");
    }

    #[test]
    fn a_name_from_a_database_cannot_steer_the_terminal() {
        assert_eq!(harmless("V1__\u{1b}[2J\nx", false), "V1__\\u{1b}[2J\\nx");
        assert_eq!(harmless("SELECT 1;\r\n\tx", true), "SELECT 1;\n\tx");
    }
}
