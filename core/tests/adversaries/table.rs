//! `docs/adversaries.md` is what is measured here: its table is made of the vectors, and compared with them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use crate::common::cases::{Case, Handshake, Row, Test};
use crate::vectors::{CONNECTION_MEMORY, HANDSHAKE_MEMORY, bound, connection_memory, handshake_memory, rows};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const MARK: &str = "<!-- What follows is written by the tests of itoden-core. -->\n";

/// A line of the table, for one role or for both.
struct Line {
    outcome: String,
    code: String,
    peak: usize,
    bound: usize,
    roles: Vec<String>,
}

fn status(error: &str) -> u16 {
    itoden_core::error::table().find(|row| row.name == error).unwrap_or_else(|| panic!("no error {error}")).status
}

fn connection_line(case: &Case) -> Line {
    let (outcome, code) = match case.error() {
        Some(error) => (format!("`{error}`"), status(error).to_string()),
        None => {
            let mut kinds: Vec<_> = case.events.iter().map(|event| event["type"].as_str().unwrap()).collect();
            kinds.dedup();
            let refused = case.send.iter().find_map(|command| command["error"].as_str());
            let told = refused.map(|error| format!("`{error}`")).unwrap_or_else(|| kinds.join(", "));
            (if told.is_empty() { "waits for more".to_owned() } else { told }, String::new())
        }
    };
    let (peak, bound) = (connection_memory(case), bound(case.memory.as_ref(), CONNECTION_MEMORY));
    Line { outcome, code, peak, bound, roles: vec![case.role.clone()] }
}

fn handshake_line(case: &Handshake) -> Line {
    let (outcome, code) = match &case.error {
        Some(error) if case.side == "server" => (format!("`{error}`"), status(error).to_string()),
        Some(error) => (format!("`{error}`"), "not opened".to_owned()),
        None => ("opened".to_owned(), "101".to_owned()),
    };
    let (peak, bound) = (handshake_memory(case), bound(case.memory.as_ref(), HANDSHAKE_MEMORY));
    Line { outcome, code, peak, bound, roles: vec![case.side.clone()] }
}

/// Rounded up, so that the small differences between machines need no new table.
fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{} B", bytes.div_ceil(128) * 128),
        1024..1_048_576 => format!("{} KiB", bytes.div_ceil(1024)),
        _ => format!("{:.1} MiB", bytes.div_ceil(104_858) as f64 / 10.0),
    }
}

fn cells(line: &str) -> Vec<&str> {
    line.split('|').map(str::trim).collect()
}

fn render(row: &Row) -> String {
    let mut out = format!("\n### {}\n\nHappened in: {}.\n", capital(&row.row), row.happened);
    let mut lines: BTreeMap<(usize, String), Line> = BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    let connections = row.connections.iter().map(|case| (&case.name, connection_line(case)));
    let handshakes = row.handshakes.iter().map(|case| (&case.name, handshake_line(case)));
    for (name, line) in handshakes.chain(connections) {
        let place = order.iter().position(|known| known == name).unwrap_or_else(|| {
            order.push(name.clone());
            order.len() - 1
        });
        match lines.get_mut(&(place, name.clone())) {
            Some(known) => {
                assert_eq!((&known.outcome, &known.code), (&line.outcome, &line.code), "{name}");
                known.peak = known.peak.max(line.peak);
                known.roles.extend(line.roles);
            }
            None => drop(lines.insert((place, name.clone()), line)),
        }
    }
    if !lines.is_empty() {
        out += "\n| the input | to a | ends in | code | peak | at most |\n|---|---|---|---|---|---|\n";
    }
    for ((_, name), Line { outcome, code, peak, bound, roles }) in lines {
        let (roles, peak, bound) = (roles.join(", "), size(peak), size(bound));
        writeln!(out, "| {name} | {roles} | {outcome} | {code} | {peak} | {bound} |").unwrap();
    }
    if !row.tests.is_empty() {
        out += "\n| the test | in | shows |\n|---|---|---|\n";
    }
    for test in &row.tests {
        writeln!(out, "| {} | `{}` | {} |", shown(test), test.file, test.outcome).unwrap();
    }
    for missing in &row.elsewhere {
        writeln!(out, "\nNot here: {}. It belongs to {}.", missing.what, missing.belongs).unwrap();
    }
    out
}

/// The name of a test as a sentence.
fn shown(test: &Test) -> String {
    if test.file.ends_with(".rs") || test.file.ends_with(".py") {
        test.name.strip_prefix("test_").unwrap_or(&test.name).replace('_', " ")
    } else {
        test.name.clone()
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn table() -> String {
    let rows = rows();
    let count = |of: fn(&Row) -> usize| rows.iter().map(of).sum::<usize>();
    let mut out = format!(
        "{} rows: {} cases over open connections, {} of opening handshakes, {} other tests.\n",
        rows.len(),
        count(|row| row.connections.len()),
        count(|row| row.handshakes.len()),
        count(|row| row.tests.len()),
    );
    rows.iter().for_each(|row| out += &render(row));
    // Else it would be written in bold letters.
    out.replace("__proto__", "`__proto__`")
}

/// Whether a line of the page says what was measured; the peak may have been higher where the page was written.
fn agrees(written: &str, measured: &str) -> bool {
    let (written, measured) = (cells(written), cells(measured));
    let peaks = [&written, &measured].map(|cells| cells.get(5).and_then(|cell| bytes(cell)));
    let rest = |cells: &[&str]| {
        cells.iter().enumerate().filter(|&(at, _)| at != 5).map(|(_, cell)| (*cell).to_owned()).collect::<Vec<_>>()
    };
    match peaks {
        [Some(written_peak), Some(measured_peak)] => rest(&written) == rest(&measured) && measured_peak <= written_peak,
        _ => written == measured,
    }
}

fn bytes(cell: &str) -> Option<f64> {
    let (number, unit) = cell.split_once(' ')?;
    let factor = match unit {
        "B" => 1.0,
        "KiB" => 1024.0,
        "MiB" => 1_048_576.0,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| number * factor)
}

#[test]
fn the_page_says_what_is_measured() {
    let path = format!("{ROOT}/docs/adversaries.md");
    let page = fs::read_to_string(&path).unwrap();
    let (prose, written) = page.split_once(MARK).expect("the page has its mark");
    let measured = table();
    if std::env::var_os("ITODEN_WRITE_DOCS").is_some() {
        fs::write(&path, format!("{prose}{MARK}{measured}")).unwrap();
        return;
    }
    let advice =
        "run ITODEN_WRITE_DOCS=1 cargo test -p itoden-core --test adversaries the_page, and commit docs/adversaries.md";
    for (written, measured) in written.lines().zip(measured.lines()) {
        assert!(agrees(written, measured), "the page says\n{written}\nbut measured is\n{measured}\n{advice}");
    }
    assert_eq!(written.lines().count(), measured.lines().count(), "{advice}");
}

#[test]
fn every_test_that_the_table_names_exists() {
    for row in rows() {
        for test in row.tests {
            let text = fs::read_to_string(format!("{ROOT}/{}", test.file)).unwrap_or_default();
            let name = match test.file.rsplit('.').next() {
                Some("rs") => format!("fn {}(", test.name),
                Some("py") => format!("def {}(", test.name),
                Some("json") => format!("\"name\": \"{}\"", test.name),
                _ => test.name.clone(),
            };
            assert!(text.contains(&name), "{}: there is no test {:?}", test.file, test.name);
        }
    }
}
