//! itoden-core against its peers and against the floor, in one process. `npm run bench:core` runs it and tells the results.
//!
//! Standard output has one JSON object a line: one contender on one workload in one pass.

mod contender;
mod floor;
mod frames;
mod mask;
mod measure;
mod peers;
mod tally;
mod wire;
mod workload;

use std::process::ExitCode;

use contender::Contender;
use measure::Plan;
use workload::{Case, Takeover, Workload};

const USAGE: &str = "\
itoden-bench [--passes N] [--rounds N] [--filter WORD]...   measures; a filter is a word of a workload's name
itoden-bench --list                                        lists the workloads and who takes part in each
itoden-bench --only CONTENDER WORKLOAD BURSTS              does this alone, untimed, for a profiler";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[&str]) -> Result<(), String> {
    match *arguments {
        ["--list"] => list(),
        ["--only", contender, workload, bursts] => only(contender, workload, number("--only", bursts)?)?,
        _ => measure(arguments)?,
    }
    Ok(())
}

fn list() {
    for case in Case::all() {
        let contenders = Contender::all(&Workload::new(case));
        let contenders: Vec<_> = contenders
            .iter()
            .map(|contender| serde_json::json!({ "name": contender.name, "class": contender.class }))
            .collect();
        let line = serde_json::json!({
            "workload": case.name(),
            "task": case.task.name(),
            "kind": case.kind.name(),
            "size": case.size,
            "contenders": contenders,
        });
        println!("{line}");
    }
}

fn only(contender: &str, wanted: &str, bursts: usize) -> Result<(), String> {
    let case = Case::all()
        .into_iter()
        .find(|case| case.name() == wanted)
        .ok_or_else(|| format!("There is no workload '{wanted}'; --list lists them."))?;
    let messages = measure::only(&Workload::new(case), contender, bursts)
        .ok_or_else(|| format!("'{contender}' takes no part in '{wanted}'; --list lists who does."))?;
    println!("{messages}");
    Ok(())
}

fn measure(arguments: &[&str]) -> Result<(), String> {
    let mut plan = Plan { passes: 10, rounds: 30 };
    let mut filters = Vec::new();
    let mut rest = arguments.iter();
    while let Some(&option) = rest.next() {
        let value = rest.next().ok_or_else(|| format!("'{option}' is unknown or has no value."))?;
        match option {
            "--passes" => plan.passes = number(option, value)?,
            "--rounds" => plan.rounds = number(option, value)?,
            "--filter" => filters.push(*value),
            _ => return Err(format!("'{option}' is unknown.")),
        }
    }
    let mut cases = Case::all();
    cases.retain(|case| filters.iter().all(|filter| case.name().split(' ').any(|word| word == *filter)));
    if cases.is_empty() {
        return Err(format!("No workload's name has all of these words: {}.", filters.join(", ")));
    }
    for pass in 0..plan.passes {
        eprintln!("pass {} of {}, {} workloads", pass + 1, plan.passes, cases.len());
        for (index, &case) in cases.iter().enumerate() {
            let seed = (pass * cases.len() + index) as u64;
            for samples in measure::pass(&Workload::new(case), plan, seed) {
                let line = serde_json::json!({
                    "workload": case.name(),
                    "task": case.task.name(),
                    "kind": case.kind.name(),
                    "size": case.size,
                    "takeover": case.takeover == Takeover::Context,
                    "contender": samples.name,
                    "class": samples.class,
                    "wireBytes": samples.wire_bytes,
                    "nanoseconds": samples.nanoseconds,
                });
                println!("{line}");
            }
        }
    }
    Ok(())
}

fn number(option: &str, value: &str) -> Result<usize, String> {
    match value.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{option} wants a whole number above 0, and '{value}' is none.")),
    }
}
