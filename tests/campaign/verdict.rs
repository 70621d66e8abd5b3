//! Whether what the command said of the file is true of it.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use super::cases::Case;
use super::picture::content;

/// The exit code, the typed outcome and the file say the same; and the next launch ends in the new state.
pub fn is_true_of_the_file(case: &Case, data: &Path, output: &Output) {
    let code = output.status.code().unwrap_or_else(|| panic!("it was killed: {:?}", output.status));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let json: Value = serde_json::from_str(&text).unwrap_or_else(|_| {
        panic!("exit {code} without a document: {text}{}", String::from_utf8_lossy(&output.stderr))
    });
    let outcome = json["outcome"].as_str().or(json["error"]["outcome"].as_str()).unwrap_or("none").to_owned();
    let now = (outcome != "needs-recovery").then(|| content(&data.join("app.db")));
    match (outcome.as_str(), code) {
        ("migrated" | "created", 0) => assert!(now.as_ref() == Some(&case.new), "said to be {outcome}"),
        ("untouched", 1) => assert!(now.as_ref() == Some(&case.untouched), "said to be {outcome}: {text}"),
        ("rolled-back", 1) | ("restored", 4) => {
            assert!(now.as_ref() == Some(&case.old), "said to be {outcome}: {text}");
        }
        ("needs-recovery", 5) => {}
        _ => panic!("exit {code} with outcome {outcome}: {text}"),
    }
    case.next_launch(data).unwrap_or_else(|error| panic!("the next launch fails: {error:?}"));
    assert!(content(&data.join("app.db")) == case.new, "the next launch did not end in the new state");
}
