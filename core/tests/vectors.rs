//! Runs the shared vectors: each case as it stands, with its chunks joined, and byte by byte.

mod common;

use common::cases::{Case, Handshake, read};
#[cfg(feature = "deflate")]
use common::negotiation::Deflate;
use serde_json::Value;

fn run_file(name: &str) {
    read::<Case>(name).iter().for_each(Case::run);
}

#[test]
fn frames_are_read_as_the_vectors_say() {
    run_file("frames");
}

#[test]
fn messages_are_put_together_as_the_vectors_say() {
    run_file("messages");
}

#[test]
fn connections_close_as_the_vectors_say() {
    run_file("close");
}

#[test]
fn commands_send_what_the_vectors_say() {
    run_file("send");
}

#[test]
fn hands_are_shaken_as_the_vectors_say() {
    read::<Handshake>("handshake").iter().for_each(Handshake::run);
}

#[test]
#[cfg(feature = "deflate")]
fn messages_are_compressed_and_compression_is_agreed_on_as_the_vectors_say() {
    for case in read::<Deflate>("deflate") {
        match case {
            Deflate::Open(case) => case.run(),
            Deflate::Server(case) => case.run(),
            Deflate::Client(case) => case.run(),
        }
    }
}

#[test]
fn the_generated_table_of_errors_is_up_to_date() {
    let rows: Vec<Value> = read("errors");
    let names: Vec<_> = itoden_core::error::table().map(|row| row.name).collect();
    assert_eq!(rows.iter().map(|row| row["name"].as_str().unwrap()).collect::<Vec<_>>(), names);
    let mut distinct = names.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), names.len(), "names are distinct");
}
