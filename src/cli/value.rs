//! Values as they are written in an argument, a variable or the configuration, and their ranges.

use std::time::Duration;

use lifeboat::{Atomicity, Check, RestoreFrom, Soundness};

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    Always,
    Never,
}

pub(super) const COLORS: [&str; 3] = ["auto", "always", "never"];
pub(super) const ATOMICITIES: [&str; 2] = ["run", "step"];

pub(super) fn color(text: &str) -> Result<Color, String> {
    match text {
        "auto" => Ok(Color::Auto),
        "always" => Ok(Color::Always),
        "never" => Ok(Color::Never),
        _ => Err(one_of(&COLORS)),
    }
}

pub(super) fn atomicity(text: &str) -> Result<Atomicity, String> {
    match text {
        "run" => Ok(Atomicity::Run),
        "step" => Ok(Atomicity::Step),
        _ => Err(one_of(&ATOMICITIES)),
    }
}

pub(super) fn check(text: &str) -> Result<Check, String> {
    match text {
        "auto" => Ok(Check::Auto),
        "quick" => Ok(Check::Quick),
        "full" => Ok(Check::Full),
        "off" => Ok(Check::Off),
        _ => Err(one_of(&["auto", "quick", "full", "off"])),
    }
}

/// A kind of picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Diagram {
    Mermaid,
    Dot,
    Svg,
}

pub(super) const DIAGRAMS: [&str; 3] = ["mermaid", "dot", "svg"];
pub(super) const SOUNDNESS: [&str; 2] = ["quick", "full"];

pub(super) fn diagram(text: &str) -> Result<Diagram, String> {
    match text {
        "mermaid" => Ok(Diagram::Mermaid),
        "dot" => Ok(Diagram::Dot),
        "svg" => Ok(Diagram::Svg),
        _ => Err(one_of(&DIAGRAMS)),
    }
}

pub(super) fn soundness(text: &str) -> Result<Soundness, String> {
    match text {
        "quick" => Ok(Soundness::Quick),
        "full" => Ok(Soundness::Full),
        _ => Err(one_of(&SOUNDNESS)),
    }
}

fn one_of(values: &[&str]) -> String {
    let list = values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>();
    format!("it is one of {}", list.join(", "))
}

pub(super) fn keep(text: &str) -> Result<usize, String> {
    counted(text)
}

/// How many, where none is an answer too.
pub(super) fn count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "it is a whole number from 0".to_owned())
}

/// Bytes: `500000`, `500 MB`, `1.5 GiB`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let number: String = text.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let unit = text.get(number.len()..).unwrap_or_default().trim().to_lowercase();
    let factor: f64 = match unit.as_str() {
        "" | "b" | "bytes" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => 0.0,
    };
    let bytes = number.parse::<f64>().map_or(0.0, |number| number * factor);
    // Within what doubles hold exactly.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let whole = (1.0..9e15).contains(&bytes).then_some(bytes as u64);
    whole.ok_or_else(|| "it is a size, such as \"500 MB\" or \"2 GiB\"".to_owned())
}

pub(super) fn steps(text: &str) -> Result<usize, String> {
    counted(text)
}

pub(super) fn counted(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "it is a whole number from 1".to_owned())
}

/// Seconds; a day at the most, so that no sum of times overflows.
pub(super) fn wait(text: &str) -> Result<Duration, String> {
    text.parse::<f64>()
        .ok()
        .filter(|seconds| (0.0..=86_400.0).contains(seconds))
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "it is a number of seconds from 0 to 86400".to_owned())
}

/// `7` or `V7`.
pub(super) fn version(text: &str) -> Result<i64, String> {
    text.trim_start_matches(['V', 'v', 'U', 'u'])
        .parse()
        .ok()
        .filter(|version| *version >= 0)
        .ok_or_else(|| "it is a version, such as 7 or V7".to_owned())
}

/// `latest`, `2` or `2nd`, or a path.
pub(super) fn backup(text: &str) -> Result<RestoreFrom, String> {
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let is_place = !digits.is_empty() && ["", "st", "nd", "rd", "th"].contains(&&text[digits.len()..]);
    match digits.parse() {
        _ if text == "latest" => Ok(RestoreFrom::Latest),
        Ok(0) if is_place => Err("the newest backup is number 1".to_owned()),
        Ok(number) if is_place => Ok(RestoreFrom::Nth(number)),
        _ if text.is_empty() => Err("it is `latest`, a number or a path".to_owned()),
        _ => Ok(RestoreFrom::File(text.into())),
    }
}

/// The name that was probably meant.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |known: &str| strsim::damerau_levenshtein(&name.to_lowercase(), &known.to_lowercase());
    known.map(|known| (distance(known), known)).min().filter(|(distance, _)| *distance <= 3).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_bytes_or_has_a_unit() {
        for (text, bytes) in [
            ("500000", 500_000),
            ("500 MB", 500_000_000),
            ("1.5GiB", 1_610_612_736),
            ("2 gib", 2_147_483_648),
            ("1b", 1),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for none in ["", "GiB", "-1", "0", "2 GiBs", "1.2.3", "1e9", "99999999 TiB", "NaN", "ü"] {
            assert!(size(none).is_err(), "{none}");
        }
    }
}
