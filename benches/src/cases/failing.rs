//! A run that fails in its last step, which is found out on rows alone, beside the run that succeeds.

use super::base::{baselines, big, launch, launch_failing};
use super::{GIB, MIB, size_text};
use crate::table::{Entry, Goal, Ratio, interleave};
use crate::{Bench, Fallible};

pub fn run(bench: &mut Bench) -> Fallible<()> {
    let bytes = if bench.options.quick { 10 * MIB } else { GIB };
    let baseline = baselines(bench)?;
    let file = big(bench, bytes, "fill")?;
    let rows = {
        let (bench, file) = (&*bench, file.as_path());
        let fails = |name: &'static str, title: String| {
            Entry::new(title, move || {
                let answer = launch_failing(bench, name, "failing", file, &["phases=yes"])?;
                if answer.failed.is_some() { Ok(answer) } else { Err("it did not fail".into()) }
            })
        };
        let entries = vec![
            fails("lifeboat", "lifeboat, the run fails".to_owned()),
            Entry::new("lifeboat, the run succeeds", move || {
                launch(bench, "lifeboat", "pending", file, &["phases=yes"])
            }),
        ];
        interleave(bench.options.few(), true, entries)?
    };
    let goals = [Goal { over: "lifeboat, the run fails", under: "lifeboat, the run succeeds", at_most: 1.3 }];
    let title = format!("a failing run on {}", size_text(bytes));
    bench.tables.add(&title, Ratio::FirstToEach, &goals, rows, &baseline);
    Ok(())
}
