//! One small step on files of several sizes, the copy before it included.

use super::base::{as_before, baselines, big, cp, launch};
use super::{GIB, MIB, size_text};
use crate::contender::Answer;
use crate::table::{Entry, Goal, Ratio, interleave};
use crate::{Bench, Fallible};

pub fn run(bench: &mut Bench) -> Fallible<()> {
    let sizes: &[u64] = if bench.options.quick { &[10 * MIB] } else { &[10 * MIB, GIB, 4 * GIB] };
    let baseline = baselines(bench)?;
    for &bytes in sizes {
        let file = big(bench, bytes, "fill")?;
        let rows = {
            let (bench, file) = (&*bench, file.as_path());
            let lifeboat = |title: &'static str, option: &'static str| {
                Entry::new(title, move || launch(bench, "lifeboat", "pending", file, &[option, "phases=yes"]))
            };
            let with_copy = |peer: &'static str| {
                let title = format!("cp + fsync + {}", bench.contenders.title(peer));
                Entry::new(title, move || {
                    as_before(bench, file)?;
                    let copied = cp(bench, file)?;
                    let ran = bench.contenders.run(peer, &[&"launch", &"pending", &file])?;
                    Ok(Answer { ns: copied.ns + ran.ns, cpu_ns: copied.cpu_ns + ran.cpu_ns, ..Answer::default() })
                })
            };
            let mut entries = vec![
                lifeboat("lifeboat as it is", "check=auto"),
                lifeboat("lifeboat, check off", "check=off"),
                with_copy("refinery"),
                with_copy("rusqlite_migration"),
            ];
            if bytes <= GIB {
                entries.push(lifeboat("lifeboat, check quick", "check=quick"));
                entries.push(lifeboat("lifeboat, check full", "check=full"));
                entries.push(lifeboat("lifeboat, no backup", "backup=no"));
            }
            let rounds = if bytes < GIB { bench.options.some() } else { bench.options.few() };
            interleave(rounds, true, entries)?
        };
        let goals = [Goal { over: "lifeboat as it is", under: "cp + fsync + refinery", at_most: 1.2 }];
        let title = format!("one small step pending on {}", size_text(bytes));
        bench.tables.add(&title, Ratio::EachTo("cp + fsync + refinery"), &goals, rows, &baseline);
        if bytes > GIB && !bench.options.keep {
            bench.place.remove(&format!("fill-{bytes}"));
        }
    }
    Ok(())
}
