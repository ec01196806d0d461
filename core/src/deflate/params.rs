//! The parameters of permessage-deflate and their negotiation (RFC 7692 §5, §7.1).

use super::stream::AVAILABLE;
use crate::handshake::headers::Extension;
use crate::prelude::{ToOwned, ToString, Vec};

/// The name of the extension (§7).
pub const NAME: &str = "permessage-deflate";

const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// The largest window: 2^15 bytes.
const MAX_BITS: u8 = 15;

/// What this end wants of permessage-deflate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeflateConfig {
    /// The server starts each message with an empty window: less memory, worse compression. Default `false`.
    pub server_no_context_takeover: bool,
    /// The client starts each message with an empty window. Default `false`.
    pub client_no_context_takeover: bool,
    /// The server's window has at most 2 to the power of this many bytes, 8 to 15. Default 15.
    pub server_max_window_bits: u8,
    /// The client's window has at most 2 to the power of this many bytes, 8 to 15. Default 15.
    pub client_max_window_bits: u8,
    /// How hard to compress: 1 (fastest) to 9 (smallest). Default 6, zlib's.
    pub level: u8,
    /// Shorter messages, in bytes, are sent as they are. Default 1024: below it little is saved and much is spent.
    pub threshold: usize,
}

impl Default for DeflateConfig {
    fn default() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: MAX_BITS,
            client_max_window_bits: MAX_BITS,
            level: 6,
            threshold: 1024,
        }
    }
}

/// What both ends have agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateParams {
    /// The server starts each message with an empty window (§7.1.1.1).
    pub server_no_context_takeover: bool,
    /// The client starts each message with an empty window (§7.1.1.2).
    pub client_no_context_takeover: bool,
    /// The server's window has at most 2 to the power of this many bytes (§7.1.2.1).
    pub server_max_window_bits: u8,
    /// The client's window has at most 2 to the power of this many bytes (§7.1.2.2).
    pub client_max_window_bits: u8,
}

impl DeflateParams {
    /// As a server's answer would have them, for who opens a connection elsewhere.
    pub fn to_extension(self) -> Extension {
        let below_max = |bits: u8| (bits < MAX_BITS).then_some(bits);
        let written = Written {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: below_max(self.server_max_window_bits),
            client_max_window_bits: below_max(self.client_max_window_bits).map(Some),
        };
        written.to_extension()
    }
}

/// The parameters of one offer or answer, each as it stands there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Written {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    /// `Some(None)`: without a value, which only an offer may have.
    client_max_window_bits: Option<Option<u8>>,
}

impl Written {
    /// Reads the parameters; `None` if there is one that is unknown, comes twice, or has a value that is not allowed:
    /// a server then declines the offer, and a client fails the connection (§7.1).
    fn read(extension: &Extension) -> Option<Self> {
        let mut written = Self::default();
        for (name, value) in &extension.params {
            let value = value.as_deref();
            match name.as_str() {
                SERVER_NO_CONTEXT_TAKEOVER if value.is_none() && !written.server_no_context_takeover => {
                    written.server_no_context_takeover = true;
                }
                CLIENT_NO_CONTEXT_TAKEOVER if value.is_none() && !written.client_no_context_takeover => {
                    written.client_no_context_takeover = true;
                }
                SERVER_MAX_WINDOW_BITS if written.server_max_window_bits.is_none() => {
                    written.server_max_window_bits = Some(bits(value?)?);
                }
                CLIENT_MAX_WINDOW_BITS if written.client_max_window_bits.is_none() => {
                    written.client_max_window_bits = Some(match value {
                        Some(value) => Some(bits(value)?),
                        None => None,
                    });
                }
                _ => return None,
            }
        }
        Some(written)
    }

    fn to_extension(self) -> Extension {
        let mut params = Vec::new();
        let mut add =
            |name: &str, value: Option<u8>| params.push((name.to_owned(), value.map(|bits| bits.to_string())));
        if self.server_no_context_takeover {
            add(SERVER_NO_CONTEXT_TAKEOVER, None);
        }
        if self.client_no_context_takeover {
            add(CLIENT_NO_CONTEXT_TAKEOVER, None);
        }
        if let Some(bits) = self.server_max_window_bits {
            add(SERVER_MAX_WINDOW_BITS, Some(bits));
        }
        if let Some(bits) = self.client_max_window_bits {
            add(CLIENT_MAX_WINDOW_BITS, bits);
        }
        Extension { name: NAME.to_owned(), params }
    }
}

/// "a decimal integer value without leading zeroes between 8 to 15, inclusive" (§7.1.2).
fn bits(value: &str) -> Option<u8> {
    let bits = value.parse().ok().filter(|bits| (8..=MAX_BITS).contains(bits))?;
    (value.len() == 1 + usize::from(bits >= 10)).then_some(bits)
}

/// What a client offers; `None` if it can't compress.
pub fn offer(config: &DeflateConfig) -> Option<Extension> {
    if !AVAILABLE {
        return None;
    }
    let below_max = |bits: u8| (bits < MAX_BITS).then_some(bits);
    let offered = Written {
        server_no_context_takeover: config.server_no_context_takeover,
        client_no_context_takeover: config.client_no_context_takeover,
        server_max_window_bits: below_max(config.server_max_window_bits),
        // Always there, so that the server may ask for a smaller window than this client's own wish.
        client_max_window_bits: Some(below_max(config.client_max_window_bits)),
    };
    Some(offered.to_extension())
}

/// What a server answers to the first offer that it can meet, and what is then agreed; `None`: it declines them all.
pub fn accept(offers: &[Extension], config: &DeflateConfig) -> Option<(Extension, DeflateParams)> {
    if !AVAILABLE {
        return None;
    }
    offers.iter().filter(|offer| offer.name == NAME).find_map(|offer| {
        let offered = Written::read(offer)?;
        let server_bits = offered.server_max_window_bits.unwrap_or(MAX_BITS).min(config.server_max_window_bits);
        // "If a received extension negotiation offer doesn't have the "client_max_window_bits" extension parameter, the
        // corresponding extension negotiation response to the offer MUST NOT include" it (§7.1.2.2): an offer that
        // leaves the client's window at its largest can't meet a wish for a smaller one.
        let client_bits = match offered.client_max_window_bits {
            Some(hint) => hint.unwrap_or(MAX_BITS).min(config.client_max_window_bits),
            None if config.client_max_window_bits < MAX_BITS => return None,
            None => MAX_BITS,
        };
        let params = DeflateParams {
            server_no_context_takeover: offered.server_no_context_takeover || config.server_no_context_takeover,
            client_no_context_takeover: offered.client_no_context_takeover || config.client_no_context_takeover,
            server_max_window_bits: server_bits,
            client_max_window_bits: client_bits,
        };
        let answer = Written {
            server_no_context_takeover: params.server_no_context_takeover,
            client_no_context_takeover: params.client_no_context_takeover,
            // "A server accepts an extension negotiation offer with this parameter by including the [...] parameter in the
            // extension negotiation response" (§7.1.2.1), also if it is the largest.
            server_max_window_bits: (server_bits < MAX_BITS || offered.server_max_window_bits.is_some())
                .then_some(server_bits),
            client_max_window_bits: (client_bits < MAX_BITS).then_some(Some(client_bits)),
        };
        Some((answer.to_extension(), params))
    })
}

/// What is agreed by a server's answer to [`offer`]; `None` if the answer is not one that the offer allows.
pub fn confirm(answer: &Extension, config: &DeflateConfig) -> Option<DeflateParams> {
    let answered = Written::read(answer).filter(|_| answer.name == NAME)?;
    let server_bits = answered.server_max_window_bits.unwrap_or(MAX_BITS);
    let client_bits = match answered.client_max_window_bits {
        None => MAX_BITS,
        Some(value) => value?,
    };
    // "a server accepts [...] by including the parameter with the same or smaller value" (§7.1.2.1), and likewise
    // confirms that it won't use context takeover (§7.1.1.1).
    if server_bits > config.server_max_window_bits
        || (config.server_no_context_takeover && !answered.server_no_context_takeover)
    {
        return None;
    }
    Some(DeflateParams {
        server_no_context_takeover: answered.server_no_context_takeover,
        client_no_context_takeover: answered.client_no_context_takeover || config.client_no_context_takeover,
        server_max_window_bits: server_bits,
        client_max_window_bits: client_bits.min(config.client_max_window_bits),
    })
}
