//! Prints the table of errors as JSON, from which `core/vectors/errors.json` and every binding's codes are generated.

use itoden_core::error;
use serde_json::json;

fn main() {
    let rows: Vec<_> = error::table()
        .map(|row| {
            json!({
                "name": row.name,
                "fault": row.fault.name(),
                "status": row.status,
                "section": row.section,
                "rule": row.rule,
                "shown": row.shown,
            })
        })
        .collect();
    println!("{}", serde_json::to_string_pretty(&rows).expect("plain data"));
}
