//! The checklist for people: a line a check, what to do under it.

use std::path::Path;

use anstyle::Style;
use lifeboat::{Finding, Severity};
use unicode_width::UnicodeWidthStr;

use super::screen::{ERROR, FAINT, GOOD, Screen, WARNING};
use super::table::screen_width;

/// The marks say what the colours say.
fn mark(severity: Severity) -> (Style, &'static str) {
    match severity {
        Severity::Ok => (GOOD, "ok"),
        Severity::Note => (FAINT, "i"),
        Severity::Warning => (WARNING, "!"),
        Severity::Skipped => (FAINT, "-"),
        _ => (ERROR, "x"),
    }
}

pub(super) fn human(screen: &Screen, path: &Path, findings: &[Finding], message: &str) -> String {
    const MARK: usize = 2;
    let width = screen_width();
    let names = findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    let indent = 2 + MARK + 2 + names + 2;
    let room = width.saturating_sub(indent);
    let mut text = format!("{}\n", screen.path(path));
    for finding in findings {
        let (style, mark) = mark(finding.severity);
        let mut lines = wrapped(&screen.text(&finding.found), room).into_iter();
        let first = lines.next().unwrap_or_default();
        let check = finding.check;
        let line = format!("  {style}{mark:<MARK$}{style:#}  {FAINT}{check:<names$}{FAINT:#}  {first}");
        text.push_str(line.trim_end());
        text.push('\n');
        for line in lines {
            text.push_str(&format!("{:indent$}{line}\n", ""));
        }
        let advice = finding.advice.as_deref().map(|advice| wrapped(&screen.text(advice), room.saturating_sub(2)));
        for (at, line) in advice.into_iter().flatten().enumerate() {
            let arrow = if at == 0 { "→" } else { " " };
            text.push_str(&format!("{:indent$}{arrow} {line}\n", ""));
        }
    }
    for line in wrapped(&screen.text(message), width) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Lines of whole words, none wider than `width` unless a word is.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().map_or(0, |line| line.width());
        if line > 0 && line + 1 + word.width() > width {
            lines.push(word.to_owned());
        } else if let Some(last) = lines.last_mut() {
            if line > 0 {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn words_stay_whole_and_lines_short() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("日本語 日本語", 7), ["日本語", "日本語"]);
        assert_eq!(wrapped("a /very/long/path b", 6), ["a", "/very/long/path", "b"]);
        assert_eq!(wrapped("", 5), [""]);
    }
}
