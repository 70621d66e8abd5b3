//! What was measured, as Markdown and as JSON.

use serde_json::{Value, json};

use crate::Fallible;
use crate::contender::Answer;

/// One contender of one case.
pub struct Entry<'a> {
    pub name: String,
    pub run: Box<dyn FnMut() -> Fallible<Answer> + 'a>,
}

impl<'a> Entry<'a> {
    pub fn new(name: impl Into<String>, run: impl FnMut() -> Fallible<Answer> + 'a) -> Self {
        Entry { name: name.into(), run: Box::new(run) }
    }
}

/// A ratio that somebody wants to stay below: `over` to `under`, both by the beginnings of their names.
pub struct Goal {
    pub over: &'static str,
    pub under: &'static str,
    pub at_most: f64,
}

pub struct Row {
    name: String,
    samples: Vec<f64>,
    cpu: Vec<f64>,
    peak_kib: u64,
    baseline_kib: u64,
    phases: Vec<(String, Vec<f64>)>,
}

impl Row {
    pub fn median(&self) -> f64 {
        median(&self.samples)
    }

    /// The ratios to another row, round by round: the lower and the upper quartile, or of few rounds the least and the most.
    pub fn ratios(&self, other: &Row) -> (f64, f64) {
        let mut ratios: Vec<f64> =
            self.samples.iter().zip(&other.samples).map(|(ours, theirs)| ours / theirs).collect();
        ratios.sort_by(f64::total_cmp);
        let last = ratios.len().saturating_sub(1);
        let cut = if ratios.len() < 8 { 0 } else { ratios.len() / 4 };
        (ratios.get(cut).copied().unwrap_or(f64::NAN), ratios.get(last - cut).copied().unwrap_or(f64::NAN))
    }
}

/// Runs all entries in turn, round after round; the first round is not counted. Each round begins with another entry, so
/// that nobody always comes after the one that leaves most for the disk to do.
pub fn interleave(rounds: usize, warm_up: bool, mut entries: Vec<Entry<'_>>) -> Fallible<Vec<Row>> {
    let empty = |entry: &Entry<'_>| Row {
        name: entry.name.clone(),
        samples: Vec::new(),
        cpu: Vec::new(),
        peak_kib: 0,
        baseline_kib: 0,
        phases: Vec::new(),
    };
    let mut rows: Vec<Row> = entries.iter().map(empty).collect();
    for round in 0..rounds + usize::from(warm_up) {
        for turn in 0..entries.len() {
            let at = (round + turn) % entries.len();
            let (entry, row) = (&mut entries[at], &mut rows[at]);
            let answer = (entry.run)().map_err(|error| format!("{}: {error}", entry.name))?;
            if warm_up && round == 0 {
                continue;
            }
            row.samples.push(answer.ns);
            row.cpu.push(answer.cpu_ns);
            row.peak_kib = row.peak_kib.max(answer.peak_kib);
            for (at, (phase, ns)) in answer.phases.into_iter().enumerate() {
                match row.phases.get_mut(at) {
                    Some((_, samples)) => samples.push(ns),
                    None => row.phases.push((phase, vec![ns])),
                }
            }
        }
    }
    Ok(rows)
}

/// Which ratio a table shows in each row.
pub enum Ratio {
    /// The first row's to this one's.
    FirstToEach,
    /// This row's to that one's, by the beginning of its name.
    EachTo(&'static str),
}

/// What has become of a goal.
struct Outcome {
    case: String,
    what: String,
    at_most: f64,
    ratio: f64,
    /// From round to round, where the two sides ran in turn.
    between: Option<(f64, f64)>,
}

impl Outcome {
    /// A goal that some rounds meet and others miss is neither met nor missed.
    fn verdict(&self) -> &'static str {
        match self.between {
            Some((least, most)) if least <= self.at_most && self.at_most < most => "unclear",
            _ if self.ratio <= self.at_most => "met",
            _ => "**missed**",
        }
    }
}

#[derive(Default)]
pub struct Tables {
    cases: Vec<Value>,
    goals: Vec<Outcome>,
}

impl Tables {
    pub fn head(&mut self, lines: &[String]) {
        println!("# lifeboat beside its peers\n");
        for line in lines {
            println!("- {line}");
        }
        println!();
        self.cases.push(json!({ "surroundings": lines }));
    }

    pub fn note(&mut self, text: &str) {
        println!("{text}\n");
        self.cases.push(json!({ "note": text }));
    }

    /// Who else was at work: printed with every case, since it decides what the figures are worth.
    fn load() -> String {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let load = read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned();
        let waits = read("/proc/pressure/io");
        let waits = waits.split_whitespace().find_map(|word| word.strip_prefix("avg60=")).unwrap_or("?").to_owned();
        format!("Load {load}; in the last minute somebody waited for the disk {waits} % of the time.")
    }

    /// Prints a case. `baseline` is each contender's peak memory, in KiB, when it does nothing, by its name.
    pub fn add(
        &mut self,
        title: &str,
        ratio: Ratio,
        goals: &[Goal],
        mut rows: Vec<Row>,
        baseline: impl Fn(&str) -> u64,
    ) {
        for row in &mut rows {
            row.baseline_kib = baseline(&row.name);
        }
        let with_peak = rows.iter().any(|row| row.baseline_kib > 0);
        let heading = match ratio {
            Ratio::FirstToEach => "lifeboat ÷ it".to_owned(),
            Ratio::EachTo(name) => format!("÷ {name}"),
        };
        let (extra, line) = if with_peak { (" peak memory over baseline |", "---:|") } else { ("", "") };
        println!("### {title}\n\n| contender | median | fastest – slowest | processor | {heading} | goal |{extra}");
        println!("|---|---:|---:|---:|---:|---:|{line}");
        let find = |name: &str| rows.iter().find(|row| row.name.starts_with(name));
        for (at, row) in rows.iter().enumerate() {
            let other = match ratio {
                Ratio::FirstToEach => (at > 0).then(|| rows[0].median() / row.median()),
                Ratio::EachTo(name) => {
                    find(name).filter(|other| other.name != row.name).map(|other| row.median() / other.median())
                }
            };
            let shown = other.map_or(String::new(), |ratio| format!("{ratio:.2}"));
            let goal = goals.iter().find(|goal| match ratio {
                Ratio::FirstToEach => at > 0 && row.name.starts_with(goal.under),
                Ratio::EachTo(_) => find(goal.over).is_some_and(|over| over.name == row.name),
            });
            let goal = goal.map_or(String::new(), |goal| format!("≤ {}", goal.at_most));
            let (least, most) = spread(&row.samples);
            let peak = if with_peak { format!(" {} |", peak_text(row)) } else { String::new() };
            println!(
                "| {} | {} | {} – {} (n = {}) | {} | {shown} | {goal} |{peak}",
                row.name,
                time(row.median()),
                time(least),
                time(most),
                row.samples.len(),
                processor_text(row),
            );
        }
        println!();
        println!("{}\n", Self::load());
        for row in rows.iter().filter(|row| row.phases.len() > 1) {
            let parts: Vec<String> =
                row.phases.iter().map(|(phase, samples)| format!("{phase} {}", time(median(samples)))).collect();
            println!("{}: {}\n", row.name, parts.join(" · "));
        }
        for goal in goals {
            if let (Some(over), Some(under)) = (find(goal.over), find(goal.under)) {
                self.goals.push(Outcome {
                    case: title.to_owned(),
                    what: format!("{} ÷ {}", over.name, under.name),
                    at_most: goal.at_most,
                    ratio: over.median() / under.median(),
                    between: Some(over.ratios(under)),
                });
            }
        }
        let shown = |row: &Row| {
            json!({
                "contender": row.name, "medianNs": row.median(), "samplesNs": row.samples, "cpuNs": row.cpu,
                "peakKib": row.peak_kib, "baselineKib": row.baseline_kib,
                "phases": row.phases.iter().map(|(phase, ns)| json!({ "name": phase, "ns": ns })).collect::<Vec<_>>(),
            })
        };
        self.cases
            .push(json!({ "case": title, "load": Self::load(), "rows": rows.iter().map(shown).collect::<Vec<_>>() }));
    }

    /// A goal of which the two sides are not in one table.
    pub fn goal(&mut self, title: &str, what: &str, at_most: f64, ratio: f64) {
        let (case, what) = (title.to_owned(), what.to_owned());
        self.goals.push(Outcome { case, what, at_most, ratio, between: None });
    }

    pub fn data(&mut self, value: Value) {
        self.cases.push(value);
    }

    /// All goals again, in one table.
    pub fn goals(&mut self) {
        if self.goals.is_empty() {
            return;
        }
        println!(
            "### The goals\n\n| case | ratio | goal | measured | round by round | |\n|---|---|---:|---:|---:|---|"
        );
        for goal in &self.goals {
            let between = goal.between.map_or(String::new(), |(least, most)| format!("{least:.2} – {most:.2}"));
            println!(
                "| {} | {} | ≤ {} | {:.2} | {between} | {} |",
                goal.case,
                goal.what,
                goal.at_most,
                goal.ratio,
                goal.verdict()
            );
        }
        println!();
    }

    pub fn json(&self) -> String {
        let goals = self.goals.iter().map(|goal| {
            json!({
                "case": goal.case, "ratio": goal.what, "atMost": goal.at_most, "measured": goal.ratio,
                "between": goal.between, "verdict": goal.verdict(),
            })
        });
        format!("{:#}\n", json!({ "cases": self.cases, "goals": goals.collect::<Vec<_>>() }))
    }
}

fn peak_text(row: &Row) -> String {
    if row.peak_kib == 0 || row.baseline_kib == 0 {
        return String::new();
    }
    format!("{:.1} MiB", row.peak_kib.saturating_sub(row.baseline_kib) as f64 / 1024.0)
}

/// The system counts in ticks: of what is over in less than a few, it says nothing that can be used.
fn processor_text(row: &Row) -> String {
    const TICKS_NS: f64 = 20e6;
    let cpu = median(&row.cpu);
    if cpu < TICKS_NS { String::new() } else { time(cpu) }
}

fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}

fn spread(samples: &[f64]) -> (f64, f64) {
    (samples.iter().copied().fold(f64::INFINITY, f64::min), samples.iter().copied().fold(0.0, f64::max))
}

pub fn time(ns: f64) -> String {
    match ns {
        ns if ns < 1e6 => format!("{:.0} µs", ns / 1e3),
        ns if ns < 1e9 => format!("{:.2} ms", ns / 1e6),
        ns => format!("{:.2} s", ns / 1e9),
    }
}
