//! What broke other implementations, thrown at this one: every case ends in its named error and close code or status,
//! holds no more memory than its limits allow, and takes time in proportion to its bytes.
//!
//! - `vectors`: the cases of `core/vectors/adversaries.json`, with the memory that each holds
//! - `memory`: what no bytes can say: peers that don't read, commands at the wrong time
//! - `rest`: what a connection holds when nothing happens
//! - `linear`: twice the input, at most twice the machine steps and the allocated bytes
//! - `table`: `docs/adversaries.md` says what is measured here
#![cfg(feature = "deflate")]

#[path = "../common/mod.rs"]
mod common;
mod heap;
mod linear;
mod memory;
mod rest;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod steps;
mod table;
mod vectors;
