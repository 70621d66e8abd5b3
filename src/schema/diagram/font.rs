//! How wide a text is at the most, whatever sans-serif font shows it; and texts as XML takes them.

use super::entities::Row;

/// Widths of `a` to `z` and `A` to `Z` in DejaVu Sans, the widest of the usual fonts, in hundredths of the size.
const SMALL: [u8; 26] =
    [62, 64, 55, 64, 62, 36, 64, 64, 28, 28, 58, 28, 98, 64, 62, 64, 64, 42, 53, 40, 64, 60, 82, 60, 60, 53];
const CAPITAL: [u8; 26] =
    [69, 69, 70, 77, 64, 58, 78, 76, 30, 30, 66, 56, 87, 75, 79, 61, 79, 70, 64, 62, 74, 69, 99, 69, 62, 69];

/// The width of a text of this size.
pub(super) fn width(text: &str, size: f64, bold: bool) -> f64 {
    let hundredths: u32 = text.chars().map(|c| u32::from(of(c))).sum();
    let wider = if bold { 1.13 } else { 1.0 };
    f64::from(hundredths) / 100.0 * size * wider
}

fn of(c: char) -> u8 {
    match c {
        'a'..='z' => SMALL[usize::from(c as u8 - b'a')],
        'A'..='Z' => CAPITAL[usize::from(c as u8 - b'A')],
        ' ' | ',' | '.' | ':' | ';' | '\'' | '|' => 34,
        '(' | ')' | '[' | ']' | '-' | '/' => 40,
        '_' => 51,
        '0'..='9' => 64,
        '\u{300}'..='\u{36f}' => 0,
        c if c.is_ascii() => 84,
        // Capitals with their marks, Greek, Cyrillic.
        c if c < '\u{2e80}' => 95,
        // CJK and pictures.
        _ => 125,
    }
}

/// The beginning of a text that is not wider than this, with an ellipsis where something is left out.
pub(super) fn shortened(text: &str, size: f64, bold: bool, widest: f64) -> String {
    if width(text, size, bold) <= widest {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        short.push(c);
        if width(&short, size, bold) + size > widest {
            break;
        }
    }
    short.push('…');
    short
}

/// As XML takes it, which has no control characters at all.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

impl Row {
    /// Its keys, in the short.
    pub(super) fn marks(&self) -> String {
        let marks = [(self.primary, "PK"), (self.foreign, "FK"), (self.unique, "U")];
        marks.into_iter().filter_map(|(is, mark)| is.then_some(mark)).collect::<Vec<_>>().join(" ")
    }
}
