//! The Sec-WebSocket-Extensions header and the parameters of permessage-deflate: any text is read as a second, plainer reader
//! reads it, what is read is written back, and each answer is one that the offer allows.
#![no_main]

use arbitrary::Arbitrary;
use itoden_core::deflate::DeflateConfig;
use itoden_core::deflate::params::{NAME, accept, confirm, offer};
use itoden_core::handshake::Headers;
use itoden_core::handshake::headers::{Extension, extensions, is_token};
use itoden_fuzz::ends::Deflate;
use itoden_fuzz::memory;
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

const HEADER: &str = "Sec-WebSocket-Extensions";

#[derive(Arbitrary, Debug)]
enum Case<'a> {
    /// Any text in one or more fields, perhaps over and over in one.
    Text { values: Vec<&'a str>, repeat: u8, config: Deflate },
    /// Text that is nearer to an offer or an answer.
    Written { extensions: Vec<Written<'a>>, config: Deflate },
    /// What a client offers to a server.
    Agree { client: Deflate, server: Deflate },
}

#[derive(Arbitrary, Debug)]
struct Written<'a> {
    other_name: Option<&'a str>,
    params: Vec<Param<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Param<'a> {
    Known {
        which: u8,
        value: Option<u8>,
        quoted: bool,
        space: bool,
    },
    /// A name with a quoted value.
    Quoted(u8, &'a str),
    Any(&'a str),
}

impl Written<'_> {
    fn text(&self) -> String {
        let mut text = self.other_name.unwrap_or(NAME).to_owned();
        for param in &self.params {
            text += ";";
            match param {
                Param::Known { which, value, quoted, space } => {
                    let name = PARAMS[usize::from(which % 4)];
                    let space = if *space { " " } else { "" };
                    let quote = if *quoted { "\"" } else { "" };
                    text += &format!("{space}{name}");
                    if let Some(value) = value {
                        text += &format!("{space}={space}{quote}{}{quote}", value % 18);
                    }
                }
                Param::Quoted(which, value) => text += &format!("{}=\"{value}\"", PARAMS[usize::from(which % 4)]),
                Param::Any(any) => text += any,
            }
        }
        text
    }
}

const PARAMS: [&str; 4] =
    ["server_no_context_takeover", "client_no_context_takeover", "server_max_window_bits", "client_max_window_bits"];

/// Reads the header by splitting it. A separator inside quotes makes the value no token, so nothing is lost by that.
fn naive(headers: &Headers) -> Option<Vec<Extension>> {
    let trim = |text: &str| text.trim_matches([' ', '\t']).to_owned();
    let token = |text: String| is_token(&text).then_some(text);
    let value = |text: &str| {
        let text = trim(text);
        let Some(quoted) = text.strip_prefix('"') else { return token(text) };
        let mut chars = quoted.strip_suffix('"')?.chars();
        let mut value = String::new();
        while let Some(c) = chars.next() {
            value.push(if c == '\\' { chars.next()? } else { c });
        }
        token(value)
    };
    let param = |text: &str| {
        Some(match text.split_once('=') {
            Some((name, written)) => (token(trim(name))?, Some(value(written)?)),
            None => (token(trim(text))?, None),
        })
    };
    let members = headers.get_all(HEADER).flat_map(|field| field.split(','));
    let members = members.filter(|member| !trim(member).is_empty());
    let extensions: Vec<_> = members
        .map(|member| {
            let (name, rest) = member.split_once(';').map_or((member, None), |(name, rest)| (name, Some(rest)));
            let params = rest.into_iter().flat_map(|rest| rest.split(';')).map(param).collect::<Option<_>>()?;
            Some(Extension { name: token(trim(name))?, params })
        })
        .collect::<Option<_>>()?;
    // `1#extension` (RFC 6455 §9.1): at least one, if the field is there.
    (!extensions.is_empty() || headers.get(HEADER).is_none()).then_some(extensions)
}

/// The four parameters as they stand there: `None` if one is unknown, comes twice or has a value that it may not have.
#[derive(Debug, Default)]
struct Params {
    server_anew: bool,
    client_anew: bool,
    server_bits: Option<u8>,
    /// `Some(None)`: without a value.
    client_bits: Option<Option<u8>>,
}

impl Params {
    fn read(extension: &Extension) -> Option<Self> {
        let bits = |text: &str| (8..=15).find(|bits: &u8| bits.to_string() == text);
        let mut params = Self::default();
        for (index, (name, value)) in extension.params.iter().enumerate() {
            if extension.params[..index].iter().any(|(other, _)| other == name) {
                return None;
            }
            match (PARAMS.iter().position(|known| known == name)?, value) {
                (0, None) => params.server_anew = true,
                (1, None) => params.client_anew = true,
                (2, Some(value)) => params.server_bits = Some(bits(value)?),
                (3, None) => params.client_bits = Some(None),
                (3, Some(value)) => params.client_bits = Some(Some(bits(value)?)),
                _ => return None,
            }
        }
        Some(params)
    }

    /// Whether a server may answer this offer so (RFC 7692 §7.1).
    fn allows(&self, answer: &Self) -> bool {
        let server_bits = match (self.server_bits, answer.server_bits) {
            // "by including the [...] parameter [...] with the same or smaller value" (§7.1.2.1).
            (Some(offered), answered) => answered.is_some_and(|answered| answered <= offered),
            (None, _) => true,
        };
        // The value in an offer is a hint; an answer may have a greater one, and the client keeps to its own (§7.1.2.2).
        let client_bits = match answer.client_bits {
            None => true,
            Some(answered) => self.client_bits.is_some() && answered.is_some(),
        };
        server_bits && client_bits && (answer.server_anew || !self.server_anew)
    }

    /// Whether a server that wants this can meet the offer: a client that does not speak of its window has the largest.
    fn can_be_met(&self, config: &DeflateConfig) -> bool {
        self.client_bits.is_some() || config.client_max_window_bits == 15
    }
}

fn check_answer(offers: &[Extension], config: &DeflateConfig) {
    let named = || offers.iter().filter(|offer| offer.name == NAME);
    let met = named().filter_map(Params::read).find(|params| params.can_be_met(config));
    let Some((answer, agreed)) = accept(offers, config) else {
        assert!(met.is_none(), "{met:?} is declined");
        return;
    };
    let met = met.expect("only an offer that can be met is answered");
    let written = Params::read(&answer).expect("an answer has parameters of an answer");
    assert!(met.allows(&written), "{met:?} is answered with {written:?}");
    assert_eq!(agreed.server_no_context_takeover, written.server_anew);
    assert_eq!(agreed.client_no_context_takeover, written.client_anew);
    assert_eq!(agreed.server_max_window_bits, written.server_bits.unwrap_or(15));
    assert_eq!(agreed.client_max_window_bits, written.client_bits.flatten().unwrap_or(15));
    assert!(agreed.server_max_window_bits <= config.server_max_window_bits);
    assert!(agreed.client_max_window_bits <= config.client_max_window_bits);
}

/// Reads the header as an offer and as an answer.
fn read(headers: &Headers, config: &DeflateConfig) {
    let len: usize = headers.get_all(HEADER).map(str::len).sum();
    let (read, held) = memory::peak(|| extensions(headers));
    // A parameter of two bytes, `;a`, is kept in 48 and two allocations, in a vector that has doubled.
    assert!(held <= 256 * len + 4096, "{held} bytes for {len}");
    let read = read.ok();
    assert_eq!(read, naive(headers));
    let Some(read) = read else { return };

    let written: Vec<_> = read.iter().map(Extension::to_string).collect();
    let again = Headers::from_iter((!written.is_empty()).then(|| (HEADER, written.join(", "))));
    assert_eq!(extensions(&again).as_ref(), Ok(&read), "what is written is what was read");

    check_answer(&read, config);
    for extension in &read {
        if let Some(agreed) = confirm(extension, config) {
            let answer = Params::read(extension).expect("only what can be read is confirmed");
            let offered = offer(config).expect("a client offers");
            assert!(Params::read(&offered).expect("an offer has parameters of an offer").allows(&answer));
            assert!((8..=config.server_max_window_bits).contains(&agreed.server_max_window_bits));
            assert!((8..=config.client_max_window_bits).contains(&agreed.client_max_window_bits));
        }
    }
}

fuzz_target!(|case: Case<'_>| {
    match case {
        Case::Text { values, repeat, config } => {
            let times = |value: &str| usize::from(repeat).min(40_000 / value.len().max(1)).max(1);
            let headers = Headers::from_iter(values.iter().map(|value| (HEADER, value.repeat(times(value)))));
            read(&headers, &config.config());
        }
        Case::Written { extensions, config } => {
            let text: Vec<_> = extensions.iter().map(Written::text).collect();
            read(&Headers::from_iter([(HEADER, text.join(","))]), &config.config());
        }
        Case::Agree { client, server } => {
            let (client, server) = (client.config(), server.config());
            let offered = offer(&client).expect("a client offers");
            check_answer(std::slice::from_ref(&offered), &server);
            let (answer, agreed) = accept(&[offered], &server).expect("a client speaks of its window");
            assert_eq!(confirm(&answer, &client), Some(agreed), "both ends agree on the same");
        }
    }
});
