//! Tables of text in columns that fit the screen, and numbers and ages in words.

use std::io::IsTerminal;

use anstyle::Style;
use terminal_size::{Width, terminal_size};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::screen::{FAINT, harmless};

/// The columns that there are: the terminal's, or 80 where stdout is none.
pub(super) fn screen_width() -> usize {
    const USUAL: usize = 80;
    let terminal = if std::io::stdout().is_terminal() { terminal_size() } else { None };
    terminal.map_or(USUAL, |(Width(columns), _)| usize::from(columns).max(40))
}

/// One entry of a table.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub(super) fn new(text: impl AsRef<str>) -> Self {
        Cell { text: harmless(text.as_ref(), false), style: Style::new() }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn faint(text: impl AsRef<str>) -> Self {
        Cell { style: FAINT, ..Cell::new(text) }
    }

    pub(super) fn styled(text: impl AsRef<str>, style: Style) -> Self {
        Cell { style, ..Cell::new(text) }
    }
}

/// How a column is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    Left,
    Right,
}

/// Rows of cells under a head.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<(&'static str, Set)>,
    rows: Vec<Vec<Cell>>,
}

/// As long as a column is wider than this, the first one stays as it is.
const ENOUGH: usize = 14;
/// Between two columns.
const BETWEEN: usize = 2;
/// No column that holds more becomes narrower.
const NARROWEST: usize = 7;

impl Table {
    /// Columns without a title in any of them have no head.
    pub(super) fn new(columns: &[(&'static str, Set)]) -> Self {
        Table { columns: columns.to_vec(), rows: Vec::new() }
    }

    pub(super) fn add(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines, none wider than `width`.
    pub(super) fn text(&self, indent: usize, width: usize) -> String {
        // A column that says nothing is left out.
        let used: Vec<usize> = (0..self.columns.len())
            .filter(|at| self.rows.iter().any(|row| row.get(*at).is_some_and(|cell| !cell.text.is_empty())))
            .collect();
        let heads = used.iter().any(|at| !self.columns[*at].0.is_empty());
        let natural = used.iter().map(|at| {
            let cells = self.rows.iter().filter_map(|row| row.get(*at)).map(|cell| cell.text.width());
            cells.chain([self.columns[*at].0.width()]).max().unwrap_or(0)
        });
        let widths = fitted(natural.collect(), width.saturating_sub(indent));
        let mut text = String::new();
        let mut line = |cells: Vec<Cell>| {
            let mut line = " ".repeat(indent);
            let last = cells.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or(0);
            for (place, cell) in cells.iter().enumerate().take(last + 1) {
                let shown = shortened(&cell.text, widths[place]);
                let pad = " ".repeat(widths[place] - shown.width());
                let (before, after) = match self.columns[used[place]].1 {
                    Set::Left if place == last => (String::new(), String::new()),
                    Set::Left => (String::new(), pad),
                    Set::Right => (pad, String::new()),
                };
                let style = cell.style;
                let between = if place == last { "" } else { &" ".repeat(BETWEEN) };
                line.push_str(&before);
                if style == Style::new() || shown.is_empty() {
                    line.push_str(&shown);
                } else {
                    line.push_str(&format!("{style}{shown}{style:#}"));
                }
                line.push_str(&after);
                line.push_str(between);
            }
            text.push_str(line.trim_end());
            text.push('\n');
        };
        if heads {
            line(used.iter().map(|at| Cell::faint(self.columns[*at].0)).collect());
        }
        for row in &self.rows {
            line(used.iter().map(|at| row.get(*at).cloned().unwrap_or_else(|| Cell::new(""))).collect());
        }
        text
    }
}

/// Takes from the widest until all fit; from the first, which names the rest, only when the others are narrow.
fn fitted(mut widths: Vec<usize>, room: usize) -> Vec<usize> {
    let gaps = BETWEEN * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > room {
        let others = widths.iter_mut().skip(1).max().filter(|widest| **widest > ENOUGH);
        let Some(widest) = others else { break };
        *widest -= 1;
    }
    while widths.iter().sum::<usize>() + gaps > room {
        let Some(widest) = widths.iter_mut().max().filter(|widest| **widest > NARROWEST) else { break };
        *widest -= 1;
    }
    widths
}

/// The beginning of a text, with an ellipsis where it was cut.
pub(super) fn shortened(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut taken = 1; // the ellipsis
    for character in text.chars() {
        taken += character.width().unwrap_or(0);
        if taken > width {
            break;
        }
        short.push(character);
    }
    short.push('…');
    short
}

/// `1 table`, `2 tables`.
pub(super) fn counted(count: usize, one: &str, more: &str) -> String {
    if count == 1 {
        format!("1 {one}")
    } else {
        format!("{} {more}", grouped(u64::try_from(count).unwrap_or(u64::MAX)))
    }
}

/// `12345` as `12,345`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How long ago something was, roughly.
pub(super) fn ago(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    let (count, one, more) = match seconds {
        i64::MIN..0 => return "in the future".to_owned(),
        0..MINUTE => return "less than a minute ago".to_owned(),
        MINUTE..HOUR => (seconds / MINUTE, "minute", "minutes"),
        HOUR..DAY => (seconds / HOUR, "hour", "hours"),
        _ if seconds < 60 * DAY => (seconds / DAY, "day", "days"),
        _ if seconds < 730 * DAY => (seconds / (30 * DAY), "month", "months"),
        _ => (seconds / (365 * DAY), "year", "years"),
    };
    format!("{count} {} ago", if count == 1 { one } else { more })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_the_screen_and_stays_aligned() {
        let mut table = Table::new(&[("name", Set::Left), ("rows", Set::Right), ("", Set::Left)]);
        table.add([Cell::new("a"), Cell::new("12,345"), Cell::new("")]);
        table.add([Cell::new("日本語のとても長い名前のテーブル"), Cell::new("1"), Cell::new("")]);
        let plain = anstream::adapter::strip_str(&table.text(2, 24)).to_string();
        assert_eq!(plain, "  name              rows\n  a               12,345\n  日本語のとて…        1\n");
        assert!(plain.lines().all(|line| line.width() <= 24));
    }

    #[test]
    fn ages_and_numbers_are_in_words() {
        let ages = [(-5, "in the future"), (59, "less than a minute ago"), (60, "1 minute ago"), (7200, "2 hours ago")];
        for (seconds, words) in ages.into_iter().chain([(86_400 * 59, "59 days ago"), (86_400 * 90, "3 months ago")]) {
            assert_eq!(ago(seconds), words);
        }
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
