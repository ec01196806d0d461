//! permessage-deflate: compression of messages (RFC 7692).
//!
//! - [`params`]: the four parameters, and how both ends agree on them
//! - [`stream`]: the compressor and the decompressor

pub mod params;
pub mod stream;

pub use params::{DeflateConfig, DeflateParams};
pub use stream::{Compressor, Decompressor, InflateError};
