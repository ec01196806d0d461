//! What the fuzz targets share: ends of connections, recipes for what is sent, records of what is told, and a count of
//! the memory that is held.

pub mod ends;
pub mod inflate;
pub mod memory;
pub mod pair;
pub mod peer;
pub mod recipe;
pub mod record;
pub mod stream;
