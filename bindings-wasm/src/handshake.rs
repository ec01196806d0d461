//! The opening handshake (RFC 6455 §4, RFC 8441) for JavaScript: heads in, heads out, and what both ends agreed on.
//!
//! What goes in and what comes out are *blobs* behind each other, each its length as four bytes in little endian and then
//! itself. Header fields are blobs in pairs, name and value. A connection is made of the result by another module.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use itoden_core::deflate::DeflateConfig;
use itoden_core::handshake::{
    ClientHandshake, ClientRequest, ConnectHandshake, HeadLimits, Headers, HttpVersion, Refusal, RequestHead,
    ResponseHead, ServerHandshake, Upgrade,
};
use itoden_core::{Config, Connection, HandshakeError, MaskKeys, Timestamp};

use crate::abi::{Handle, place, tell};
use crate::{border, error};

/// What a call on a handshake returns: more bytes are needed, there was an error (see `src/error.rs`), or there is a result,
/// whose place and length the words begin with.
const MORE: u32 = 0;
const FAILED: u32 = 1;
const DONE: u32 = 2;

/// One side of an opening handshake.
pub struct RawHandshake {
    state: State,
    limits: HeadLimits,
    version: HttpVersion,
    result: Vec<u8>,
    error: Option<HandshakeError>,
}

enum State {
    Server(ServerHandshake),
    Asked(Box<Upgrade>),
    Client(ClientHandshake, Option<ResponseHead>),
    Connect(ConnectHandshake, Option<ResponseHead>),
    Over,
}

/// A server that waits for a request. The limits: on the size of a head in bytes, on the number of its fields, and on the
/// time in milliseconds, where NaN is none.
#[unsafe(no_mangle)]
pub extern "C" fn handshake_server(max_head_size: u32, max_headers: u32, open_timeout: f64) -> Handle<RawHandshake> {
    let limits = limits(max_head_size, max_headers, open_timeout);
    Handle::new(RawHandshake::new(State::Server(ServerHandshake::new(limits)), limits, HttpVersion::Http11))
}

/// A client that asks. `carrier`: HTTP/1.1 (0), or HTTP/2 for `ws:` (1) or `wss:` (2). The blobs of the border: the nonce,
/// the host, the target, the subprotocols, of which there are as many as told, and the header fields. Its result is the
/// request: for HTTP/1.1 one blob, else the header list. 0, which is no handle, if that can't be asked.
#[unsafe(no_mangle)]
pub extern "C" fn handshake_client(
    carrier: u32,
    subprotocols: usize,
    deflate: u32,
    max_head_size: u32,
    max_headers: u32,
    open_timeout: f64,
    len: usize,
) -> Option<Handle<RawHandshake>> {
    let limits = limits(max_head_size, max_headers, open_timeout);
    let made = border::lend(len, |bytes| {
        let mut blobs = Blobs(bytes);
        let nonce: [u8; 16] = blobs.next().and_then(|nonce| nonce.try_into().ok()).unwrap_or_default();
        let request = ClientRequest {
            host: blobs.text(),
            target: blobs.text(),
            subprotocols: (0..subprotocols).map(|_| blobs.text()).collect(),
            deflate: deflate_config(deflate),
            headers: blobs.headers(),
        };
        if carrier == 0 {
            let (client, head) = ClientHandshake::new(request, nonce, limits)?;
            let mut made = RawHandshake::new(State::Client(client, None), limits, HttpVersion::Http11);
            put(&mut made.result, &head.to_bytes());
            Ok(made)
        } else {
            let (client, list) = ConnectHandshake::new(request, carrier == 2, limits)?;
            let mut made = RawHandshake::new(State::Connect(client, None), limits, HttpVersion::Http2);
            put_headers(&mut made.result, &list);
            Ok(made)
        }
    });
    match made {
        Ok(made) => {
            tell(&place(&made.result));
            Some(Handle::new(made))
        }
        Err(failure) => {
            error::handshake(&failure);
            None
        }
    }
}

/// The first `len` bytes of the border came from the peer. With a result, the third word is how many of them it took.
///
/// A server's result: method, target, version, resource name, authority, the number of subprotocols, these, and the header
/// fields. A client's: status, reason, version and the header fields.
#[unsafe(no_mangle)]
pub extern "C" fn handshake_bytes(handshake: Handle<RawHandshake>, len: usize) -> u32 {
    handshake.with(|raw| {
        let taken = border::lend(len, |bytes| raw.take_bytes(bytes));
        raw.finish(taken)
    })
}

/// The same for a header list of HTTP/2, as blobs.
#[unsafe(no_mangle)]
pub extern "C" fn handshake_list(handshake: Handle<RawHandshake>, len: usize) -> u32 {
    handshake.with(|raw| {
        let taken = border::lend(len, |bytes| raw.take_list(&Blobs(bytes).headers()));
        raw.finish(taken.map(|done| done.then_some(len)))
    })
}

/// Accepts the request. The blobs of the border: the subprotocol, if there is `one`, and header fields to add. The result:
/// the extensions that were agreed on, as the answer has them, and the response: one blob, or over HTTP/2 its list.
#[unsafe(no_mangle)]
pub extern "C" fn handshake_accept(handshake: Handle<RawHandshake>, one: bool, deflate: u32, len: usize) -> u32 {
    handshake.with(|raw| {
        let accepted = border::lend(len, |bytes| raw.accept(Blobs(bytes), one, deflate));
        raw.finish(accepted.map(|()| Some(0)))
    })
}

/// A client checks the answer (§4.1). The result: the subprotocols that were agreed on, none or one, and the extensions; the
/// third word is how many subprotocols.
#[unsafe(no_mangle)]
pub extern "C" fn handshake_open(handshake: Handle<RawHandshake>) -> u32 {
    handshake.with(|raw| {
        let opened = raw.open();
        raw.finish(opened)
    })
}

/// A response that refuses a request, with a status, of the blobs of the border: the body and the header fields. The result:
/// one blob, or over HTTP/2 the body and the list.
#[unsafe(no_mangle)]
pub extern "C" fn handshake_refuse(handshake: Handle<RawHandshake>, status: u32, len: usize) -> u32 {
    handshake.with(|raw| {
        let refusal = border::lend(len, |bytes| {
            let mut blobs = Blobs(bytes);
            let body = blobs.text();
            Refusal::new(u16::try_from(status).unwrap_or(0), &blobs.headers(), &body)
        });
        let refused = refusal.map(|refusal| raw.put_refusal(&refusal));
        raw.finish(refused.map(|()| Some(0)))
    })
}

/// The response that answers the last error, as the result.
#[unsafe(no_mangle)]
pub extern "C" fn handshake_answer(handshake: Handle<RawHandshake>) -> u32 {
    handshake.with(|raw| {
        let Some(failure) = raw.error.take() else { return MORE };
        raw.put_refusal(&Refusal::of(&failure, raw.version));
        raw.finish(Ok(Some(0)))
    })
}

/// When to call [`handshake_timeout`], in milliseconds; NaN for never.
#[unsafe(no_mangle)]
pub extern "C" fn handshake_deadline(handshake: Handle<RawHandshake>) -> f64 {
    let deadline = handshake.with(|raw| match &raw.state {
        State::Server(server) => server.poll_timeout(),
        State::Client(client, _) => client.poll_timeout(),
        State::Connect(client, _) => client.poll_timeout(),
        State::Asked(_) | State::Over => None,
    });
    deadline.map_or(f64::NAN, |time| time.as_micros() as f64 / 1000.0)
}

/// Tells the time in milliseconds; the first call starts the clock.
#[unsafe(no_mangle)]
pub extern "C" fn handshake_timeout(handshake: Handle<RawHandshake>, now: f64) -> u32 {
    let now = Timestamp::from_micros((now * 1000.0) as u64);
    handshake.with(|raw| {
        let in_time = match &mut raw.state {
            State::Server(server) => server.handle_timeout(now),
            State::Client(client, _) => client.handle_timeout(now),
            State::Connect(client, _) => client.handle_timeout(now),
            State::Asked(_) | State::Over => Ok(()),
        };
        raw.finish(in_time.map(|()| None))
    })
}

/// Gives the handshake's memory up.
#[unsafe(no_mangle)]
pub extern "C" fn handshake_free(handshake: Handle<RawHandshake>) {
    handshake.free();
}

impl RawHandshake {
    const fn new(state: State, limits: HeadLimits, version: HttpVersion) -> Self {
        Self { state, limits, version, result: Vec::new(), error: None }
    }

    /// What JavaScript is told of a call.
    fn finish(&mut self, done: Result<Option<usize>, HandshakeError>) -> u32 {
        match done {
            Ok(None) => MORE,
            Ok(Some(word)) => {
                let [at, len] = place(&self.result);
                tell(&[at, len, word as u32]);
                DONE
            }
            Err(failure) => {
                error::handshake(&failure);
                self.error = Some(failure);
                FAILED
            }
        }
    }

    fn take_bytes(&mut self, bytes: &[u8]) -> Result<Option<usize>, HandshakeError> {
        match &mut self.state {
            State::Server(server) => {
                let Some((upgrade, used)) = server.handle_bytes(bytes)? else { return Ok(None) };
                self.ask(upgrade);
                Ok(Some(used))
            }
            State::Client(client, answer) => {
                let Some((response, used)) = client.handle_bytes(bytes)? else { return Ok(None) };
                self.result = response_blobs(&response);
                *answer = Some(response);
                Ok(Some(used))
            }
            State::Asked(_) | State::Connect(..) | State::Over => Ok(None),
        }
    }

    fn take_list(&mut self, list: &Headers) -> Result<bool, HandshakeError> {
        match &mut self.state {
            State::Server(_) => {
                self.version = HttpVersion::Http2;
                let upgrade = Upgrade::from_header_list(list, &self.limits)?;
                self.ask(upgrade);
                Ok(true)
            }
            State::Connect(client, answer) => {
                let Some(response) = client.handle_header_list(list)? else { return Ok(false) };
                self.result = response_blobs(&response);
                *answer = Some(response);
                Ok(true)
            }
            State::Asked(_) | State::Client(..) | State::Over => Ok(false),
        }
    }

    fn ask(&mut self, upgrade: Upgrade) {
        self.result = request_blobs(upgrade.request(), upgrade.subprotocols());
        self.state = State::Asked(Box::new(upgrade));
    }

    fn accept(&mut self, mut blobs: Blobs<'_>, one: bool, deflate: u32) -> Result<(), HandshakeError> {
        let State::Asked(upgrade) = &self.state else { return Ok(()) };
        let subprotocol = one.then(|| blobs.text());
        let config = Arc::new(Config { deflate: deflate_config(deflate), ..Config::default() });
        let accepted = Upgrade::clone(upgrade).accept(subprotocol.as_deref(), &blobs.headers(), config)?;
        let response = accepted.response;
        self.result.clear();
        put(&mut self.result, extensions(&accepted.connection).as_bytes());
        match self.version {
            HttpVersion::Http2 => put_headers(&mut self.result, &response.to_header_list()),
            _ => put(&mut self.result, &response.to_bytes()),
        }
        self.state = State::Over;
        Ok(())
    }

    fn open(&mut self) -> Result<Option<usize>, HandshakeError> {
        let config = || Arc::new(Config { deflate: Some(DeflateConfig::default()), ..Config::default() });
        let connection = match core::mem::replace(&mut self.state, State::Over) {
            State::Client(client, Some(response)) => client.open(&response, config(), Box::new(NoKeys))?,
            State::Connect(client, Some(response)) => client.open(&response, config(), Box::new(NoKeys))?,
            other => {
                self.state = other;
                return Ok(None);
            }
        };
        self.result.clear();
        if let Some(subprotocol) = connection.subprotocol() {
            put(&mut self.result, subprotocol.as_bytes());
        }
        put(&mut self.result, extensions(&connection).as_bytes());
        Ok(Some(usize::from(connection.subprotocol().is_some())))
    }

    fn put_refusal(&mut self, refusal: &Refusal) {
        self.result.clear();
        if self.version == HttpVersion::Http2 {
            let (list, body) = refusal.to_header_list();
            put(&mut self.result, body.as_bytes());
            put_headers(&mut self.result, &list);
        } else {
            put(&mut self.result, &refusal.to_bytes());
        }
    }
}

/// What was agreed on, as a server's answer would have it: with what a client has asked of itself.
fn extensions(connection: &Connection) -> String {
    connection.deflate().map(|params| params.to_extension().to_string()).unwrap_or_default()
}

/// The connection that the core makes here sends nothing; the one that is used has keys.
struct NoKeys;

impl MaskKeys for NoKeys {
    fn next_key(&mut self) -> [u8; 4] {
        unreachable!("nothing is sent on the connection of a handshake")
    }
}

fn limits(max_head_size: u32, max_headers: u32, open_timeout: f64) -> HeadLimits {
    HeadLimits {
        max_head_size: max_head_size as usize,
        max_headers: max_headers as usize,
        open_timeout: (!open_timeout.is_nan()).then(|| Duration::from_micros((open_timeout * 1000.0) as u64)),
    }
}

/// 0: none. Else bit 0 is set, bits 1 and 2 are no context takeover of the server and the client, and from bits 4 and 8 on
/// stand the bits of their windows.
fn deflate_config(wanted: u32) -> Option<DeflateConfig> {
    (wanted != 0).then(|| DeflateConfig {
        server_no_context_takeover: wanted & 2 != 0,
        client_no_context_takeover: wanted & 4 != 0,
        server_max_window_bits: (wanted >> 4 & 0xf) as u8,
        client_max_window_bits: (wanted >> 8 & 0xf) as u8,
        ..DeflateConfig::default()
    })
}

fn put(out: &mut Vec<u8>, blob: &[u8]) {
    out.extend_from_slice(&(blob.len() as u32).to_le_bytes());
    out.extend_from_slice(blob);
}

fn put_headers(out: &mut Vec<u8>, headers: &Headers) {
    for (name, value) in headers.iter() {
        put(out, name.as_bytes());
        put(out, value.as_bytes());
    }
}

fn request_blobs(request: &RequestHead, subprotocols: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, request.method.as_bytes());
    put(&mut out, request.target.as_bytes());
    put(&mut out, request.version.to_string().as_bytes());
    put(&mut out, request.resource_name().as_bytes());
    put(&mut out, request.authority().unwrap_or_default().as_bytes());
    put(&mut out, subprotocols.len().to_string().as_bytes());
    subprotocols.iter().for_each(|name| put(&mut out, name.as_bytes()));
    put_headers(&mut out, &request.headers);
    out
}

fn response_blobs(response: &ResponseHead) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, response.status.to_string().as_bytes());
    put(&mut out, response.reason.as_bytes());
    put(&mut out, response.version.to_string().as_bytes());
    put_headers(&mut out, &response.headers);
    out
}

/// The blobs of the border.
struct Blobs<'a>(&'a [u8]);

impl<'a> Iterator for Blobs<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (len, rest) = self.0.split_first_chunk::<4>()?;
        let (blob, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        self.0 = rest;
        Some(blob)
    }
}

impl Blobs<'_> {
    /// The next blob as text, which JavaScript has encoded.
    fn text(&mut self) -> String {
        String::from_utf8_lossy(self.next().unwrap_or_default()).into_owned()
    }

    /// The rest, as header fields.
    fn headers(&mut self) -> Headers {
        let mut headers = Headers::new();
        while !self.0.is_empty() {
            let (name, value) = (self.text(), self.text());
            headers.append(name, value);
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::told;

    fn blobs(parts: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        parts.iter().for_each(|part| put(&mut out, part.as_bytes()));
        out
    }

    fn result(raw: &RawHandshake) -> Vec<String> {
        Blobs(&raw.result).map(|blob| String::from_utf8(blob.to_vec()).unwrap()).collect()
    }

    #[test]
    fn the_handshake_of_the_rfc_opens_both_ends() {
        let asked = blobs(&["the sample nonce", "server.example.com", "/chat", "chat", "superchat"]);
        let client = handshake_client(0, 2, 0, 16 << 10, 100, f64::NAN, border::fill(&asked)).unwrap();
        let request = client.copy().with(|raw| result(raw)[0].clone());
        assert!(request.contains("\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), "{request}");
        let server = handshake_server(16 << 10, 100, f64::NAN);
        let (head, tail) = request.split_at(20);
        assert_eq!(handshake_bytes(server.copy(), border::fill(head.as_bytes())), MORE);
        assert_eq!(handshake_bytes(server.copy(), border::fill(format!("{tail}\u{1}").as_bytes())), DONE);
        assert_eq!(told()[2] as usize, tail.len());
        assert_eq!(
            server.copy().with(|raw| result(raw)[..6].to_vec()),
            ["GET", "/chat", "1.1", "/chat", "server.example.com", "2"]
        );
        assert_eq!(handshake_accept(server.copy(), true, 0, border::fill(&blobs(&["superchat"]))), DONE);
        let response = server.copy().with(|raw| result(raw));
        assert_eq!(response[0], "");
        assert!(response[1].contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{}", response[1]);
        assert_eq!(handshake_bytes(client.copy(), border::fill(response[1].as_bytes())), DONE);
        assert_eq!(handshake_open(client.copy()), DONE);
        assert_eq!(client.copy().with(|raw| result(raw)), ["superchat", ""]);
        handshake_free(client);
        handshake_free(server);
    }

    #[test]
    fn a_request_that_is_none_has_an_answer() {
        let server = handshake_server(16 << 10, 100, f64::NAN);
        assert_eq!(handshake_bytes(server.copy(), border::fill(b"POST / HTTP/1.1\r\n\r\n")), FAILED);
        assert_eq!(told()[6], 405);
        assert_eq!(handshake_answer(server.copy()), DONE);
        assert!(server.copy().with(|raw| result(raw)[0].starts_with("HTTP/1.1 405 Method Not Allowed\r\n")));
        handshake_free(server);
    }
}
