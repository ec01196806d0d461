//! Header fields and the grammars of their values (RFC 9110 §5, RFC 6455 §9.1, §11.3). All parsing is linear.

use core::fmt;

use super::excerpt;
use crate::error::HandshakeError;
use crate::prelude::{String, ToOwned, Vec};

/// Header fields in the order in which they came or are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    fields: Vec<(String, String)>,
}

impl Headers {
    /// No fields.
    pub const fn new() -> Self {
        Self { fields: Vec::new() }
    }

    /// Adds a field behind the others, also if there is one of that name.
    pub fn append(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.fields.push((name.into(), value.into()));
    }

    /// The fields, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The values of all fields of this name, whatever its case.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.iter().filter(move |(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The value of the first field of this name, whatever its case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The value of a field that may appear once.
    pub fn single(&self, name: &'static str) -> Result<Option<&str>, HandshakeError> {
        let mut values = self.get_all(name);
        let first = values.next();
        if values.next().is_some() { Err(HandshakeError::DuplicateHeader { name }) } else { Ok(first) }
    }

    /// The members of a comma-separated list, over all fields of this name (RFC 9110 §5.6.1); empty ones are left out.
    pub fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.get_all(name).flat_map(|value| value.split(',')).map(trim).filter(|member| !member.is_empty())
    }

    /// Whether a comma-separated list has this token, whatever its case.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.list(name).any(|member| member.eq_ignore_ascii_case(token))
    }

    /// Checks that every field can be sent: names are tokens and values have no control characters, so that none can
    /// break out of its line.
    pub fn check_sendable(&self) -> Result<(), HandshakeError> {
        for (name, value) in self.iter() {
            if !is_token(name) {
                return Err(HandshakeError::InvalidOption { option: "a header name", value: excerpt(name) });
            }
            if !is_field_value(value) {
                return Err(HandshakeError::InvalidOption { option: "a header value", value: excerpt(value) });
            }
        }
        Ok(())
    }

    /// Checks that a caller adds only fields that can be sent, and none that the handshake itself sets.
    pub(super) fn check_added(&self, reserved: &[&str]) -> Result<(), HandshakeError> {
        self.check_sendable()?;
        match self.iter().find(|(name, _)| is_one_of(name, reserved)) {
            Some((name, _)) => Err(HandshakeError::InvalidOption { option: "a header name", value: excerpt(name) }),
            None => Ok(()),
        }
    }

    /// Adds the fields behind the others.
    pub(super) fn extend(&mut self, fields: &Self) {
        self.fields.extend(fields.fields.iter().cloned());
    }
}

/// Whether a name of a field is one of these, whatever its case.
pub(super) fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|other| other.eq_ignore_ascii_case(name))
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Headers {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(fields: T) -> Self {
        Self { fields: fields.into_iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }
}

/// Takes off the white space that may stand around a value: spaces and tabs (RFC 9110 §5.6.3).
pub fn trim(value: &str) -> &str {
    value.trim_matches([' ', '\t'])
}

/// Whether this is a token (RFC 9110 §5.6.2): what names of headers, subprotocols and extensions are made of.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

/// Whether a header value may have these characters: `HTAB / SP / VCHAR / obs-text` (RFC 9110 §5.5), each one byte on the
/// wire. The bytes 0x80 to 0x9f are obs-text, as they come in UTF-8, though the characters of these numbers are controls.
pub fn is_field_value(value: &str) -> bool {
    value.chars().all(|c| matches!(c, '\t' | ' '..='~' | '\u{80}'..='\u{ff}'))
}

/// A value as it goes onto the wire: each character, up to U+00FF, is one byte.
pub(crate) fn write_latin1(value: &str, out: &mut Vec<u8>) {
    out.extend(value.chars().map(|c| u32::from(c) as u8));
}

/// The subprotocols of Sec-WebSocket-Protocol: at least one token if the field is there, no two the same (§4.1, item 10).
pub fn subprotocols(headers: &Headers) -> Result<Vec<String>, HandshakeError> {
    const NAME: &str = "Sec-WebSocket-Protocol";
    let invalid = |value| HandshakeError::InvalidHeader { name: NAME, value: excerpt(value) };
    let mut seen = alloc::collections::BTreeSet::new();
    let mut names = Vec::new();
    for name in headers.list(NAME) {
        if !is_token(name) || !seen.insert(name) {
            return Err(invalid(name));
        }
        names.push(name.to_owned());
    }
    match headers.get(NAME) {
        Some(value) if names.is_empty() => Err(invalid(value)),
        _ => Ok(names),
    }
}

/// One extension with its parameters, offered or chosen (§9.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Its registered token.
    pub name: String,
    /// Its parameters, in order; a quoted value is given without its quotes and backslashes.
    pub params: Vec<(String, Option<String>)>,
}

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (name, value) in &self.params {
            write!(f, "; {name}")?;
            if let Some(value) = value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

/// The extensions of Sec-WebSocket-Extensions, in order of preference; at least one if the field is there.
pub fn extensions(headers: &Headers) -> Result<Vec<Extension>, HandshakeError> {
    const NAME: &str = "Sec-WebSocket-Extensions";
    let invalid = |value| HandshakeError::InvalidHeader { name: NAME, value: excerpt(value) };
    let mut extensions = Vec::new();
    for value in headers.get_all(NAME) {
        Scanner { rest: value }.extension_list(&mut extensions).ok_or_else(|| invalid(value))?;
    }
    match headers.get(NAME) {
        Some(value) if extensions.is_empty() => Err(invalid(value)),
        _ => Ok(extensions),
    }
}

/// Reads the grammar of §9.1 from left to right, each character once.
struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    /// `extension-list = 1#extension`; empty members of the list are allowed (RFC 9110 §5.6.1.2).
    fn extension_list(mut self, out: &mut Vec<Extension>) -> Option<()> {
        loop {
            self.space();
            if !self.rest.is_empty() && !self.rest.starts_with(',') {
                out.push(self.extension()?);
            }
            if self.rest.is_empty() {
                return Some(());
            }
            self.expect(',')?;
        }
    }

    /// `extension = extension-token *( ";" extension-param )`
    fn extension(&mut self) -> Option<Extension> {
        let name = self.token()?.to_owned();
        let mut params = Vec::new();
        loop {
            self.space();
            if self.expect(';').is_none() {
                return Some(Extension { name, params });
            }
            self.space();
            let param = self.token()?.to_owned();
            self.space();
            let value = match self.expect('=') {
                Some(()) => {
                    self.space();
                    Some(if self.rest.starts_with('"') { self.quoted()? } else { self.token()?.to_owned() })
                }
                None => None,
            };
            params.push((param, value));
        }
    }

    fn token(&mut self) -> Option<&'a str> {
        let end = self.rest.bytes().position(|byte| !is_token_byte(byte)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!token.is_empty()).then_some(token)
    }

    /// "the value after quoted-string unescaping MUST conform to the 'token' ABNF" (§9.1).
    fn quoted(&mut self) -> Option<String> {
        let mut chars = self.rest.char_indices().skip(1);
        let mut value = String::new();
        while let Some((index, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &self.rest[index + 1..];
                    return is_token(&value).then_some(value);
                }
                '\\' => value.push(chars.next()?.1),
                c => value.push(c),
            }
        }
        None
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn expect(&mut self, c: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(c)?;
        Some(())
    }
}
