//! What can go wrong, split by whose fault it is. One table: every binding derives its codes and classes from [`table`].
//!
//! - [`ProtocolError`]: the peer's. The connection fails, with the close code of the error.
//! - [`HandshakeError`]: the peer's too, before a connection exists. A server answers with the error's HTTP status.
//! - [`SendError`]: the caller's. The connection goes on as if the call had not been made.

use core::fmt;
use core::time::Duration;

use crate::close::CloseCode;
use crate::prelude::String;

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The peer broke the protocol on an open connection.
    Protocol,
    /// The opening handshake failed.
    Handshake,
    /// The caller asked for something that can't be sent.
    Send,
}

impl Fault {
    /// `"protocol"`, `"handshake"` or `"send"`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Protocol => "protocol",
            Self::Handshake => "handshake",
            Self::Send => "send",
        }
    }
}

/// One row of the table of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The stable name, the same in every language: `"reserved_bits"`.
    pub name: &'static str,
    /// Whose fault it is.
    pub fault: Fault,
    /// For protocol errors the close code that the peer is sent; for handshake errors the HTTP status that a server
    /// answers with; 0 where neither applies.
    pub status: u16,
    /// Where the rule stands.
    pub section: &'static str,
    /// What the rule is, in one sentence.
    pub rule: &'static str,
    /// How the error is shown: a format of Rust, with the names of its fields. What hosts that make the sentence
    /// themselves fill with [`ProtocolError::numbers`] and [`SendError::numbers`].
    pub shown: &'static str,
}

/// The field of an error as a number; what is none counts as 0.
trait Number {
    fn number(&self) -> u64;
}

macro_rules! numbers {
    ($($type:ty = |$value:ident| $number:expr),+ $(,)?) => {
        $( impl Number for $type {
            fn number(&self) -> u64 {
                let $value = self;
                $number
            }
        } )+
    };
}

numbers! {
    u8 = |value| u64::from(*value), u16 = |value| u64::from(*value), u32 = |value| u64::from(*value), u64 = |value| *value,
    usize = |value| *value as u64, String = |_value| 0, &'static str = |_value| 0, Duration = |_value| 0,
}

/// Declares an enum of errors, its rows of the table, and how each is shown: what came and what was allowed.
macro_rules! errors {
    (
        $(#[$about:meta])* $error:ident, $fault:ident, $rows:ident;
        $( $variant:ident $({ $($field:ident : $type:ty = $meaning:literal),+ })?
           = $name:literal, $status:expr, $section:literal, $rule:literal, $shown:literal; )+
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $error {
            $( #[doc = $rule] #[doc = concat!("(", $section, ")")]
               $variant $({ $( #[doc = $meaning] $field: $type ),+ })?, )+
        }

        impl $error {
            /// The stable name, the same in every language.
            pub const fn name(&self) -> &'static str {
                match self { $( Self::$variant { .. } => $name, )+ }
            }

            /// Where the rule stands that was broken.
            pub const fn section(&self) -> &'static str {
                match self { $( Self::$variant { .. } => $section, )+ }
            }

            /// The status of this error's [`Entry`].
            pub const fn status_number(&self) -> u16 {
                match self { $( Self::$variant { .. } => $status, )+ }
            }
        }

        impl $error {
            /// The numbers among its fields, in their order: what a host fills [`Entry::shown`] with.
            pub fn numbers(&self) -> [u64; 2] {
                #[allow(unused_mut, unused_assignments, reason = "there are variants without fields")]
                match self { $( Self::$variant $({ $($field),+ })? => {
                    let mut numbers = [0; 2];
                    let mut at = 0;
                    $($( numbers[at] = $field.number(); at += 1; )+)?
                    let _ = at;
                    numbers
                } )+ }
            }
        }

        impl fmt::Display for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $( Self::$variant $({ $($field),+ })? => write!(f, $shown), )+ }
            }
        }

        impl core::error::Error for $error {}

        const $rows: &[Entry] = &[ $( Entry {
            name: $name, fault: Fault::$fault, status: $status, section: $section, rule: $rule, shown: $shown,
        }, )+ ];
    };
}

errors! {
    /// The peer broke the protocol: the connection fails with [`ProtocolError::close_code`].
    ProtocolError, Protocol, PROTOCOL_ROWS;

    ReservedBits { bits: u8 = "RSV1, RSV2 and RSV3 as the bits 4, 2 and 1" } = "reserved_bits", 1002, "RFC 6455 §5.2",
        "Reserved bits are 0 unless a negotiated extension defines them.",
        "the reserved bits of a frame are {bits:03b}, but no negotiated extension allows that";
    ReservedOpcode { opcode: u8 = "the four bits that came" } = "reserved_opcode", 1002, "RFC 6455 §5.2",
        "Opcodes 0x3-0x7 and 0xB-0xF are reserved.",
        "a frame has the reserved opcode {opcode:#x}; 0x0, 0x1, 0x2, 0x8, 0x9 and 0xa are allowed";
    UnmaskedFrame = "unmasked_frame", 1002, "RFC 6455 §5.1",
        "A client masks all its frames.",
        "a frame from the client is not masked, but a client must mask every frame";
    MaskedFrame = "masked_frame", 1002, "RFC 6455 §5.1",
        "A server masks no frame.",
        "a frame from the server is masked, but a server must not mask any frame";
    NonMinimalLength { length: u64 = "the length as encoded" } = "non_minimal_length", 1002, "RFC 6455 §5.2",
        "The minimal number of bytes encodes the payload length.",
        "a payload length of {length} is encoded in more bytes than it needs";
    LengthOverflow { length: u64 = "the 64 bits that came" } = "length_overflow", 1002, "RFC 6455 §5.2",
        "The most significant bit of a 64-bit payload length is 0.",
        "a payload length of {length:#x} has its most significant bit set; lengths end at 2^63-1";
    ControlTooLong { opcode: u8 = "the opcode of the frame" } = "control_too_long", 1002, "RFC 6455 §5.5",
        "A control frame has a payload of at most 125 bytes.",
        "a control frame (opcode {opcode:#x}) declares an extended payload length; at most 125 bytes are allowed";
    FragmentedControl { opcode: u8 = "the opcode of the frame" } = "fragmented_control", 1002, "RFC 6455 §5.5",
        "A control frame is never fragmented.",
        "a control frame (opcode {opcode:#x}) has FIN 0, but control frames must not be fragmented";
    UnexpectedContinuation = "unexpected_continuation", 1002, "RFC 6455 §5.4",
        "A continuation frame continues a message that has begun.",
        "a continuation frame came while no message was open; a text or binary frame must come first";
    ExpectedContinuation { opcode: u8 = "the opcode that came" } = "expected_continuation", 1002, "RFC 6455 §5.4",
        "The fragments of one message are not interleaved with another message.",
        "a data frame with opcode {opcode:#x} came inside a fragmented message; a continuation frame (0x0) must come";
    InvalidUtf8 = "invalid_utf8", 1007, "RFC 6455 §8.1",
        "The payload of a text message is UTF-8.",
        "a text message has bytes that are not UTF-8";
    TruncatedCloseCode = "truncated_close_code", 1002, "RFC 6455 §5.5.1",
        "The body of a Close frame is empty or begins with a code of two bytes.",
        "a Close frame has a body of 1 byte; 0 or at least 2 bytes are allowed";
    InvalidCloseCode { close_code: u16 = "the code that came" } = "invalid_close_code", 1002, "RFC 6455 §7.4",
        "A Close frame carries a code that is defined for the wire.",
        "a Close frame has the code {close_code}; 1000-1003, 1007-1014 and 3000-4999 are allowed";
    InvalidCloseReason = "invalid_close_reason", 1007, "RFC 6455 §5.5.1",
        "The reason in a Close frame is UTF-8.",
        "the reason of a Close frame has bytes that are not UTF-8";
    InvalidDeflate = "invalid_deflate", 1007, "RFC 7692 §7.2.2",
        "The payload of a compressed message is a DEFLATE stream.",
        "a compressed message can't be decompressed";
    FrameTooBig { size: u64 = "the length declared", limit: u64 = "`max_frame_size`" }
        = "frame_too_big", 1009, "RFC 6455 §10.4",
        "A frame is at most max_frame_size bytes long.",
        "a frame declares a payload of {size} bytes; max_frame_size is {limit}";
    MessageTooBig { size: u64 = "the bytes that came and are declared", limit: u64 = "`max_message_size`" }
        = "message_too_big", 1009, "RFC 6455 §10.4",
        "A message is at most max_message_size bytes long.",
        "a message reaches {size} bytes; max_message_size is {limit}";
    TooManyFragments { limit: u32 = "`max_fragments`" } = "too_many_fragments", 1008, "RFC 6455 §10.4",
        "A message has at most max_fragments fragments.",
        "a message has more than {limit} fragments, which is max_fragments";
}

impl ProtocolError {
    /// The close code that the peer is sent.
    pub const fn close_code(&self) -> CloseCode {
        CloseCode::new(self.status_number())
    }
}

errors! {
    /// The opening handshake failed: no connection was made.
    HandshakeError, Handshake, HANDSHAKE_ROWS;

    HeadTooLarge { limit: usize = "the limit in bytes" } = "head_too_large", 431, "RFC 6455 §10.4",
        "The head of a request or response is at most max_head_size bytes long.",
        "the HTTP head is longer than {limit} bytes";
    TooManyHeaders { limit: usize = "the limit" } = "too_many_headers", 431, "RFC 6455 §10.4",
        "The head of a request or response has at most max_headers header fields.",
        "the HTTP head has more than {limit} header fields";
    TargetTooLong { limit: usize = "the limit in bytes" } = "target_too_long", 414, "RFC 9112 §3",
        "The request line ends within max_head_size bytes.",
        "the request line has not ended within {limit} bytes";
    InvalidHead { what: &'static str = "what is wrong with it" } = "invalid_head", 400, "RFC 9112 §2",
        "The head of a request or response is HTTP/1.1.",
        "the HTTP head is malformed: {what}";
    InvalidMethod { method: String = "the method that came" } = "invalid_method", 405, "RFC 6455 §4.1",
        "The method of the request is GET, and over HTTP/2 CONNECT.",
        "the method of the opening handshake is {method:?}; GET is required, and over HTTP/2 CONNECT";
    InvalidHttpVersion { version: String = "the version that came" } = "invalid_http_version", 505, "RFC 6455 §4.1",
        "The HTTP version is at least 1.1.",
        "the HTTP version is {version:?}; 1.1 is required";
    InvalidTarget = "invalid_target", 400, "RFC 6455 §4.2.1",
        "The request target is a path or an absolute http(s) URI, in ASCII and without a fragment.",
        "the request target is neither a path nor an absolute http or https URI, in ASCII and without a fragment";
    InvalidHeaderList { what: &'static str = "what is wrong with the field", name: String = "its name" }
        = "invalid_header_list", 400, "RFC 9113 §8.2",
        "A header list of HTTP/2 has known pseudo-header fields first, then fields in lower case that are not specific to a connection.",
        "the header list is malformed: {name:?} is {what}";
    UnsupportedProtocol { protocol: String = "the protocol that came" } = "unsupported_protocol", 501, "RFC 8441 §5",
        "The :protocol of an extended CONNECT is websocket.",
        ":protocol is {protocol:?}; \"websocket\" is supported";
    MissingHeader { name: &'static str = "the header field" } = "missing_header", 400, "RFC 6455 §4.2",
        "A required header field is present.",
        "the header field {name} is missing";
    DuplicateHeader { name: &'static str = "the header field" } = "duplicate_header", 400, "RFC 6455 §11.3",
        "A header field that may appear once appears once.",
        "the header field {name} appears more than once";
    InvalidHeader { name: &'static str = "the header field", value: String = "its value, cut to 80 characters" }
        = "invalid_header", 400, "RFC 6455 §4.2",
        "A header field has a value that its grammar allows.",
        "the header field {name} has the value {value:?}, which is not allowed";
    UpgradeRequired = "upgrade_required", 426, "RFC 6455 §4.2.1",
        "The request asks for an upgrade to websocket.",
        "the request does not ask for an upgrade: \"Upgrade: websocket\" and \"Connection: Upgrade\" are required";
    UnsupportedVersion { version: String = "the value that came" } = "unsupported_version", 426, "RFC 6455 §4.4",
        "The version of the protocol is 13.",
        "Sec-WebSocket-Version is {version:?}; 13 is supported";
    UnexpectedBody = "unexpected_body", 400, "RFC 6455 §4.1",
        "The request of the opening handshake has no body.",
        "the request announces a body, which an opening handshake must not have";
    UnexpectedStatus { status: u16 = "the status that came" } = "unexpected_status", 0, "RFC 6455 §4.1",
        "The server answers 101, and over HTTP/2 2xx.",
        "the server answered with status {status}; 101 is required, and over HTTP/2 200 to 299";
    NotUpgraded = "not_upgraded", 0, "RFC 6455 §4.1",
        "The response upgrades to websocket.",
        "the response lacks \"Upgrade: websocket\" or \"Connection: Upgrade\"";
    AcceptMismatch = "accept_mismatch", 0, "RFC 6455 §4.1",
        "Sec-WebSocket-Accept is derived from the key that was sent.",
        "Sec-WebSocket-Accept does not belong to the key that was sent";
    UnofferedExtension { extension: String = "its name" } = "unoffered_extension", 0, "RFC 6455 §4.1",
        "The server chooses among the extensions that were offered.",
        "the server chose the extension {extension:?}, which was not offered";
    InvalidExtension { extension: String = "its name" } = "invalid_extension", 0, "RFC 7692 §5.1",
        "The server's parameters for an extension are among those that were offered.",
        "the server answered for the extension {extension:?} with parameters that the offer does not allow";
    UnofferedSubprotocol { subprotocol: String = "its name" } = "unoffered_subprotocol", 0, "RFC 6455 §4.1",
        "The server chooses among the subprotocols that were offered.",
        "the server chose the subprotocol {subprotocol:?}, which was not offered";
    InvalidOption { option: &'static str = "the option", value: String = "its value, cut to 80 characters" }
        = "invalid_option", 0, "RFC 6455 §4",
        "What the caller puts into the handshake is allowed there.",
        "{option} is {value:?}, which can't be put into an opening handshake";
    InvalidUri { what: &'static str = "what is wrong with it", uri: String = "the URI, without credentials" }
        = "invalid_uri", 0, "RFC 6455 §3",
        "A WebSocket URI has the scheme ws or wss, a host and no fragment.",
        "{uri:?} is not the URI of a WebSocket: {what}";
    OpenTimeout { limit: Duration = "`open_timeout`" } = "open_timeout", 408, "RFC 6455 §10.4",
        "The opening handshake is done within open_timeout.",
        "the opening handshake was not done within {limit:?}, which is open_timeout";
    UnexpectedEof = "unexpected_eof", 0, "RFC 6455 §4",
        "The peer keeps the transport open until the handshake is done.",
        "the peer closed the transport before the opening handshake was done";
}

impl HandshakeError {
    /// The HTTP status that a server answers with; `None` for an error that only a client or the caller meets.
    pub const fn status(&self) -> Option<u16> {
        match self.status_number() {
            0 => None,
            status => Some(status),
        }
    }
}

errors! {
    /// The caller asked for something that can't be sent. Nothing was sent, and the connection goes on.
    SendError, Send, SEND_ROWS;

    NotOpen = "not_open", 0, "RFC 6455 §5.5.1",
        "Nothing is sent after a Close frame.",
        "the connection is closing or closed; nothing can be sent any more";
    ControlPayloadTooLong { length: usize = "its length" } = "control_payload_too_long", 0, "RFC 6455 §5.5",
        "A control frame has a payload of at most 125 bytes.",
        "the payload of a ping or pong is {length} bytes long; at most 125 are allowed";
    InvalidSendCode { close_code: u16 = "the code" } = "invalid_send_code", 0, "RFC 6455 §7.4",
        "A Close frame carries a code that is defined for the wire.",
        "the close code is {close_code}; 1000-1003, 1007-1014 and 3000-4999 can be sent";
    ReasonTooLong { length: usize = "its length in bytes of UTF-8" } = "reason_too_long", 0, "RFC 6455 §5.5",
        "The reason in a Close frame is at most 123 bytes of UTF-8.",
        "the close reason is {length} bytes of UTF-8 long; at most 123 are allowed";
    ReasonWithoutCode = "reason_without_code", 0, "RFC 6455 §5.5.1",
        "A reason follows a code.",
        "a close reason was given without a close code";
    TextNotUtf8 = "text_not_utf8", 0, "RFC 6455 §5.6",
        "The payload of a text message is UTF-8.",
        "the bytes to be sent as text are not UTF-8";
    MessageUnfinished = "message_unfinished", 0, "RFC 6455 §5.4",
        "A fragmented message is finished before another message begins.",
        "a fragmented message is unfinished; its last fragment must be sent before another message";
    BufferFull { buffered: u64 = "the bytes that wait", limit: u64 = "`max_buffered_amount`" }
        = "buffer_full", 0, "RFC 6455 §10.4",
        "At most max_buffered_amount bytes wait to be written.",
        "{buffered} bytes wait to be written already; max_buffered_amount is {limit}";
}

/// Every error of every kind, in the order of the documentation.
pub fn table() -> impl Iterator<Item = &'static Entry> {
    PROTOCOL_ROWS.iter().chain(HANDSHAKE_ROWS).chain(SEND_ROWS)
}
