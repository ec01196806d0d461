//! The measuring: rounds in which each contender has its turn, in an order that changes.

use std::hint::black_box;
use std::time::Instant;

use crate::contender::{Class, Contender};
use crate::tally::Tally;
use crate::workload::{Random, Task, Workload};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Passes over all workloads. Each makes its contenders anew, so that no luck of one heap's layout stays.
    pub passes: usize,
    /// Rounds of each pass on each workload. In a round each contender is timed once.
    pub rounds: usize,
}

/// What was measured of one contender on one workload: nanoseconds a message, one number a round.
pub struct Samples {
    /// The contender's name.
    pub name: &'static str,
    /// What it is.
    pub class: Class,
    /// Bytes written for each message, if it sends.
    pub wire_bytes: f64,
    /// Nanoseconds a message.
    pub nanoseconds: Vec<f64>,
}

/// One pass over one workload.
///
/// # Panics
/// If a contender does not do what it is said to do.
pub fn pass(workload: &Workload, plan: Plan, seed: u64) -> Vec<Samples> {
    let mut contenders = Contender::all(workload);
    let mut samples: Vec<Samples> = contenders
        .iter()
        .map(|&Contender { name, class, .. }| Samples { name, class, wire_bytes: 0.0, nanoseconds: Vec::new() })
        .collect();
    let mut order: Vec<usize> = (0..contenders.len()).collect();
    let mut random = Random::new(seed);
    let repeats = workload.repeats();
    let mut agreed = None;
    for _ in 0..plan.rounds {
        shuffle(&mut order, &mut random);
        for &index in &order {
            let contender = &mut contenders[index];
            // What others have driven out of the caches comes back in untimed.
            let mut warm = Tally::default();
            contender.burst(&mut warm);
            let mut tally = Tally::default();
            let began = Instant::now();
            for _ in 0..repeats {
                contender.burst(&mut tally);
            }
            let took = began.elapsed();
            black_box(&tally);
            let name = contender.name;
            assert_eq!(tally.messages, warm.messages * repeats as u64, "{name} does the same again");
            if contender.class != Class::Primitive && workload.case.task != Task::Deflate {
                let outcome = (tally.bytes, tally.fold);
                assert_eq!(outcome, *agreed.get_or_insert(outcome), "{name} does the same as the others");
            }
            samples[index].nanoseconds.push(took.as_nanos() as f64 / tally.messages as f64);
            samples[index].wire_bytes = tally.bytes as f64 / tally.messages as f64;
        }
    }
    samples
}

/// Does bursts of one contender alone, untimed: for a profiler. How many messages that were, if there is such a contender.
pub fn only(workload: &Workload, name: &str, count: usize) -> Option<u64> {
    let mut contenders = Contender::all(workload);
    let contender = contenders.iter_mut().find(|contender| contender.name == name)?;
    let mut tally = Tally::default();
    bursts(contender, count, &mut tally);
    Some(black_box(tally).messages)
}

/// By this name a profiler tells what is measured from what prepares it.
#[inline(never)]
fn bursts(contender: &mut Contender, count: usize, tally: &mut Tally) {
    for _ in 0..count {
        contender.burst(tally);
    }
}

/// Fisher and Yates.
fn shuffle(order: &mut [usize], random: &mut Random) {
    for last in (1..order.len()).rev() {
        order.swap(last, random.next() as usize % (last + 1));
    }
}
