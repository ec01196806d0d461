//! Connections in threads: who drives one, and the system calls of those who do.

pub(crate) mod line;
#[cfg(unix)]
mod reading;
#[cfg(unix)]
pub(crate) mod socket;
mod wheel;
