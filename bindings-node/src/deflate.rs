//! permessage-deflate: options in, what was agreed on out; and the extension by itself, for those who speak HTTP themselves.

use itoden_core::Role;
use itoden_core::deflate::{DeflateConfig, DeflateParams, InflateError, MessageDeflate, params};
use itoden_core::handshake::{Headers, headers};
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use serde_json::{Value, json};

use crate::error::{self, Result};

/// What this end wants; lib/options.ts has read and checked it. What is left out is as in the core.
#[napi(object)]
#[derive(Clone, Copy)]
pub struct DeflateOptions {
    /// The server starts each message anew.
    pub server_no_context_takeover: bool,
    /// The client starts each message anew.
    pub client_no_context_takeover: bool,
    /// Bits of the server's window, 8 to 15.
    pub server_max_window_bits: Option<u8>,
    /// Bits of the client's window, 8 to 15.
    pub client_max_window_bits: Option<u8>,
    /// How hard to compress, 0 to 9.
    pub level: Option<u8>,
}

impl DeflateOptions {
    /// As the core takes them.
    pub fn config(self) -> DeflateConfig {
        let defaults = DeflateConfig::default();
        DeflateConfig {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: self.server_max_window_bits.unwrap_or(defaults.server_max_window_bits),
            client_max_window_bits: self.client_max_window_bits.unwrap_or(defaults.client_max_window_bits),
            level: self.level.unwrap_or(defaults.level),
            // JavaScript knows what was agreed on, and says of each message whether it is to be compressed.
            threshold: 0,
        }
    }
}

/// What both ends have agreed on.
#[napi(object)]
pub struct DeflateAgreement {
    /// The server starts each message anew.
    pub server_no_context_takeover: bool,
    /// The client starts each message anew.
    pub client_no_context_takeover: bool,
    /// Bits of the server's window.
    pub server_max_window_bits: u8,
    /// Bits of the client's window.
    pub client_max_window_bits: u8,
}

impl From<DeflateParams> for DeflateAgreement {
    fn from(params: DeflateParams) -> Self {
        Self {
            server_no_context_takeover: params.server_no_context_takeover,
            client_no_context_takeover: params.client_no_context_takeover,
            server_max_window_bits: params.server_max_window_bits,
            client_max_window_bits: params.client_max_window_bits,
        }
    }
}

/// A [`DeflateAgreement`] as part of a record.
pub fn agreement_json(params: &DeflateParams) -> Value {
    json!({
        "serverNoContextTakeover": params.server_no_context_takeover,
        "clientNoContextTakeover": params.client_no_context_takeover,
        "serverMaxWindowBits": params.server_max_window_bits,
        "clientMaxWindowBits": params.client_max_window_bits,
    })
}

/// One parameter of an extension.
#[napi(object)]
pub struct ExtensionParam {
    /// Its name.
    pub name: String,
    /// Its value, if it has one.
    pub value: Option<String>,
}

/// One extension, offered or chosen.
#[napi(object)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// Its parameters, in order.
    pub params: Vec<ExtensionParam>,
}

impl From<headers::Extension> for Extension {
    fn from(extension: headers::Extension) -> Self {
        let params = extension.params.into_iter().map(|(name, value)| ExtensionParam { name, value });
        Self { name: extension.name, params: params.collect() }
    }
}

fn read_extensions(header: String) -> Result<Vec<headers::Extension>> {
    let fields = Headers::from_iter([("Sec-WebSocket-Extensions", header)]);
    headers::extensions(&fields).map_err(|error| error::handshake(&error))
}

/// The extensions of a Sec-WebSocket-Extensions header.
#[napi]
pub fn parse_extensions(header: String) -> Result<Vec<Extension>> {
    Ok(read_extensions(header)?.into_iter().map(Extension::from).collect())
}

/// The subprotocols of a Sec-WebSocket-Protocol header.
#[napi]
pub fn parse_subprotocols(header: String) -> Result<Vec<String>> {
    let fields = Headers::from_iter([("Sec-WebSocket-Protocol", header)]);
    headers::subprotocols(&fields).map_err(|error| error::handshake(&error))
}

/// Both streams of permessage-deflate, and what was agreed on for them.
#[napi]
pub struct DeflateCodec {
    deflate: MessageDeflate,
    chosen: Option<headers::Extension>,
}

#[napi]
impl DeflateCodec {
    /// A server's end: chooses among the offers of a Sec-WebSocket-Extensions header. `null`: none of them can be met.
    #[napi]
    pub fn accept(header: String, options: DeflateOptions) -> Result<Option<DeflateCodec>> {
        let config = options.config();
        let accepted = params::accept(&read_extensions(header)?, &config);
        Ok(accepted.map(|(answer, agreed)| Self {
            deflate: MessageDeflate::new(agreed, Role::Server, &config),
            chosen: Some(answer),
        }))
    }

    /// A client's end: checks the answer to its offer. `null`: it is not one that the offer allows.
    #[napi]
    pub fn confirm(header: String, options: DeflateOptions) -> Result<Option<DeflateCodec>> {
        let config = options.config();
        let answers = read_extensions(header)?;
        let [answer] = answers.as_slice() else { return Ok(None) };
        Ok(params::confirm(answer, &config)
            .map(|agreed| Self { deflate: MessageDeflate::new(agreed, Role::Client, &config), chosen: None }))
    }

    /// What a client offers.
    #[napi]
    pub fn offer(options: DeflateOptions) -> Option<Extension> {
        params::offer(&options.config()).map(Extension::from)
    }

    /// The server's answer.
    #[napi]
    pub fn answer(&self) -> Option<Extension> {
        self.chosen.clone().map(Extension::from)
    }

    /// What was agreed on.
    #[napi(getter)]
    pub fn agreed(&self) -> DeflateAgreement {
        self.deflate.params().into()
    }

    /// The next part of a message, compressed.
    #[napi]
    pub fn compress(&mut self, part: &[u8], fin: bool) -> Buffer {
        let mut out = Vec::new();
        self.deflate.compress(part, fin, &mut out);
        out.into()
    }

    /// The next part of a message, decompressed: at most `limit` bytes.
    #[napi]
    pub fn decompress(&mut self, part: &[u8], fin: bool, limit: f64) -> Result<Buffer> {
        let limit = if limit > 0.0 { limit as usize } else { usize::MAX };
        let mut out = Vec::new();
        match self.deflate.decompress(part, fin, limit, &mut out) {
            Ok(()) => Ok(out.into()),
            Err(InflateError::TooBig) => Err(napi::Error::new(
                "message_too_big".to_owned(),
                format!("a message reaches more than {limit} bytes, which is maxPayload"),
            )),
            Err(InflateError::Invalid) => Err(napi::Error::new(
                "invalid_deflate".to_owned(),
                "a compressed message can't be decompressed".to_owned(),
            )),
        }
    }
}
