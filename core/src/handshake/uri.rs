//! WebSocket URIs (RFC 6455 §3, RFC 3986) and the authorities in them, which Host and `:authority` carry too.

use core::net::Ipv6Addr;

use super::excerpt;
use crate::error::HandshakeError;
use crate::prelude::{String, ToOwned, format};

/// A WebSocket URI, taken apart: `ws://host:port/path?query`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketUri {
    /// Whether the scheme is `wss`: over TLS.
    pub secure: bool,
    /// The host in lower case; an IPv6 address without its brackets.
    pub host: String,
    /// The port; without one in the URI 80, or 443 if it is secure.
    pub port: u16,
    /// The resource name: path and query, beginning with `/`.
    pub resource_name: String,
    /// What stands before an `@`. The grammar of §3 has no place for it, so it is not to be sent as part of anything; many
    /// clients make it the Authorization of the request.
    pub userinfo: Option<String>,
}

impl WebSocketUri {
    /// Takes a URI apart. Characters outside ASCII must be escaped already: in the host as `xn--`, elsewhere as `%`.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::InvalidUri`], which says what is wrong.
    pub fn parse(text: &str) -> Result<Self, HandshakeError> {
        let invalid = |what| HandshakeError::InvalidUri { what, uri: excerpt(&without_userinfo(text)) };
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(invalid("it has a space, a control character or a character outside ASCII"));
        }
        // "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT be used" (§3).
        if text.contains('#') {
            return Err(invalid("it has a fragment, which is not allowed"));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(invalid("it does not begin with ws:// or wss://"));
        };
        let secure = match scheme {
            _ if scheme.eq_ignore_ascii_case("ws") => false,
            _ if scheme.eq_ignore_ascii_case("wss") => true,
            _ => return Err(invalid("its scheme is not allowed; ws and wss are")),
        };
        let (authority, resource) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (userinfo, authority) = match authority.rsplit_once('@') {
            Some((userinfo, authority)) => (Some(userinfo.to_owned()), authority),
            None => (None, authority),
        };
        if authority.is_empty() || authority.starts_with(':') {
            return Err(invalid("it has no host"));
        }
        let (host, port) = split_authority(authority).ok_or_else(|| {
            invalid("its host or port is not allowed; a name, an IPv4 or [IPv6] address, and a port up to 65535 are")
        })?;
        Ok(Self {
            secure,
            host: host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase(),
            port: port.unwrap_or(if secure { 443 } else { 80 }),
            resource_name: if resource.starts_with('/') { resource.to_owned() } else { format!("/{resource}") },
            userinfo,
        })
    }

    /// The host, and `:port` unless it is the default of the scheme: the value of Host and of `:authority` (§4.1, item 4).
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == if self.secure { 443 } else { 80 } { host } else { format!("{host}:{}", self.port) }
    }
}

/// Credentials don't belong into an error message.
fn without_userinfo(text: &str) -> String {
    let start = text.find("://").map_or(0, |at| at + 3);
    let end = text[start..].find(['/', '?', '#']).map_or(text.len(), |at| start + at);
    match text[start..end].rfind('@') {
        Some(at) => format!("{}{}", &text[..start], &text[start + at + 1..]),
        None => text.to_owned(),
    }
}

/// Whether this is `uri-host [ ":" port ]` with a host (RFC 9110 §7.2, §4.2.1): what Host and `:authority` may be.
pub fn is_authority(text: &str) -> bool {
    split_authority(text).is_some()
}

/// Host and port. "host = IP-literal / IPv4address / reg-name" (RFC 3986 §3.2.2); a port without digits is none.
fn split_authority(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(literal) => {
            let end = literal.find(']')?;
            literal[..end].parse::<Ipv6Addr>().ok()?;
            text.split_at(end + 2)
        }
        None => {
            let (host, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
            if host.is_empty() || !host.bytes().all(is_reg_name_byte) {
                return None;
            }
            (host, rest)
        }
    };
    let port = match rest.strip_prefix(':') {
        None if rest.is_empty() => None,
        None => return None,
        Some("") => None,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
        Some(_) => return None,
    };
    Some((host, port))
}

/// `unreserved / pct-encoded / sub-delims`
const fn is_reg_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'%'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
        )
}

/// A request target that is an absolute http(s) URI: its authority, and what follows it.
pub(super) fn split_absolute(target: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = target.split_once("://")?;
    let http = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    http.then(|| rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len())))
}

/// "/resource name/" (§3), as a request line or a `:path` can carry it.
pub(super) fn is_resource_name(text: &str) -> bool {
    text.starts_with('/') && text.bytes().all(is_target_byte)
}

/// `origin-form`, or `absolute-form` of an http(s) URI, which "a server MUST accept" (RFC 9112 §3.2.2; RFC 6455 §4.2.1, item 1).
pub(super) fn is_target(target: &str) -> bool {
    match split_absolute(target) {
        Some((authority, rest)) => is_authority(authority) && rest.bytes().all(is_target_byte),
        None => is_resource_name(target),
    }
}

/// Visible ASCII: RFC 3986 wants more of these escaped than browsers do. No fragment (§3).
const fn is_target_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'#'
}
