//! A connection that asyncio's transports drive.
//!
//! - [`protocol`]: the Python class, which is the asyncio protocol itself
//! - [`common`]: what its methods have in common; [`asking`], [`pinging`]: what the longer ones do
//! - [`state`]: what a connection is; runs no Python code, nor do the next four
//! - [`opening`]: the opening handshake
//! - [`receiving`]: bytes in, messages out
//! - [`sending`]: what the application sends and takes
//! - [`listening`]: events that are told to functions instead of waiting to be taken
//! - [`closing`]: how this end closes
//! - [`direct`]: writing past the transport
//! - [`tls`]: TLS between a transport and a connection
//! - [`tap`]: frame by frame, for those who drive the class without I/O
//! - [`trace`]: what a logger is told of all that
//! - [`waiter`]: what a task awaits while nothing has come
//! - [`todo`]: what a change asks of the transport, the loop and waiting tasks; done after the lock is given back
//!
//! The law of all: a method locks the state, changes it, takes from it a list of things to do, gives the lock back,
//! and then does them. So Python code that these things run (a transport's `write()` calls `pause_writing()`) finds the
//! connection unlocked and whole, on builds with a global interpreter lock and without.

mod asking;
mod closing;
mod common;
mod direct;
mod listening;
mod opening;
mod pinging;
pub(crate) mod protocol;
mod receiving;
mod sending;
mod state;
mod tap;
mod tls;
mod todo;
mod trace;
mod waiter;

pub(crate) use protocol::AsyncConnection;
pub(crate) use tls::TlsRecords;
pub(crate) use waiter::MessageWaiter;
