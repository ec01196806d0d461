//! What is done to which messages.

use bytes::Bytes;

use crate::frames::{self, Frame};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// A server takes a client's frames, masked, from bytes that are read into memory of its own.
    Decode,
    /// A server sends messages.
    EncodeServer,
    /// A client sends messages, masked.
    EncodeClient,
    /// A server decompresses a client's messages.
    Inflate,
    /// A server compresses messages and sends them.
    Deflate,
}

/// What the payloads are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Random bytes.
    Binary,
    /// Text of ASCII alone.
    Ascii,
    /// Text of characters of one to four bytes.
    Mixed,
    /// Text: one JSON object, of which there are many that resemble each other.
    Json,
}

/// Whether each message is compressed with the history of those before it (RFC 7692 §7.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takeover {
    /// It is; or nothing is compressed.
    Context,
    /// Each starts anew.
    None,
}

/// What is measured, in words.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What is done.
    pub task: Task,
    /// What the payloads are.
    pub kind: Kind,
    /// Bytes of each payload.
    pub size: usize,
    /// For compression: whether it keeps its history.
    pub takeover: Takeover,
}

/// A case, with the messages that it takes.
pub struct Workload {
    /// What is measured.
    pub case: Case,
    /// The payloads, as many as a read or a flush brings.
    pub payloads: Vec<Bytes>,
    /// Those as frames of a client; empty where nothing is decoded.
    pub input: Bytes,
}

/// The sizes of payloads, in bytes.
pub const SIZES: [usize; 5] = [16, 125, 1 << 10, 64 << 10, 1 << 20];

/// What one read brings at most, unless a single message is larger.
const READ: usize = 64 << 10;

/// How many messages are sent before a flush, at most; and how many compressed ones are in one read.
const BURST: usize = 64;

impl Case {
    /// Everything there is to measure.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for task in [Task::Decode, Task::EncodeServer, Task::EncodeClient] {
            for kind in [Kind::Binary, Kind::Ascii, Kind::Mixed] {
                all.extend(SIZES.map(|size| Self { task, kind, size, takeover: Takeover::Context }));
            }
        }
        for takeover in [Takeover::Context, Takeover::None] {
            let case = |task| Self { task, kind: Kind::Json, size: 1 << 10, takeover };
            all.extend([Task::Deflate, Task::Inflate].map(case));
        }
        all
    }

    /// Whether the messages are text.
    pub fn is_text(self) -> bool {
        self.kind != Kind::Binary
    }

    /// Its name, for people and for filters.
    pub fn name(self) -> String {
        let takeover = if self.takeover == Takeover::None { " no-takeover" } else { "" };
        format!("{} {} {}{takeover}", self.task.name(), self.kind.name(), self.size)
    }
}

impl Workload {
    /// The messages of a case, always the same.
    pub fn new(case: Case) -> Self {
        let Case { task, kind, size, takeover } = case;
        let count = match task {
            Task::Decode => READ / frames::len(size, true),
            Task::EncodeServer | Task::EncodeClient => (READ / size).min(BURST),
            Task::Deflate | Task::Inflate => BURST,
        };
        let payloads: Vec<Bytes> = (0..count.max(1)).map(|index| payload(kind, size, index).into()).collect();
        let input = match task {
            Task::Decode => masked(kind, &payloads, false),
            Task::Inflate => {
                let mut deflate = crate::floor::Deflater::new(takeover);
                let compressed: Vec<Bytes> =
                    payloads.iter().map(|payload| deflate.compress(payload).to_vec().into()).collect();
                masked(kind, &compressed, true)
            }
            Task::EncodeServer | Task::EncodeClient | Task::Deflate => Bytes::new(),
        };
        Self { case, payloads, input }
    }

    /// Bytes that a sink needs for one burst; what can't be compressed grows a little.
    pub fn capacity(&self) -> usize {
        self.payloads.iter().map(|payload| frames::len(payload.len(), true) + 64).sum()
    }

    /// How many bursts make one sample: long enough for a clock, and short enough that few are interrupted.
    pub fn repeats(&self) -> usize {
        let bytes: usize = self.payloads.iter().map(Bytes::len).sum();
        match self.case.task {
            Task::Deflate | Task::Inflate => 1,
            _ if self.payloads.len() == 1 => (4 * READ / bytes).max(1),
            _ => (READ / bytes).max(1),
        }
    }

    /// The payloads as text.
    ///
    /// # Panics
    /// If they are not text.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.payloads.iter().map(|payload| std::str::from_utf8(payload).expect("the payloads of text are UTF-8"))
    }
}

impl Task {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::EncodeServer => "encode-server",
            Self::EncodeClient => "encode-client",
            Self::Inflate => "inflate",
            Self::Deflate => "deflate",
        }
    }
}

impl Kind {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Ascii => "ascii",
            Self::Mixed => "mixed",
            Self::Json => "json",
        }
    }
}

fn masked(kind: Kind, payloads: &[Bytes], compressed: bool) -> Bytes {
    let mut random = Random::new(7);
    let mut bytes = Vec::new();
    for payload in payloads {
        let key = Some((random.next() as u32).to_ne_bytes());
        frames::write(Frame { text: kind != Kind::Binary, compressed, key }, payload, &mut bytes);
    }
    bytes.into()
}

/// The payload of message number `index`: `size` bytes, always the same.
fn payload(kind: Kind, size: usize, index: usize) -> Vec<u8> {
    let mut random = Random::new(index as u64 + 1);
    match kind {
        Kind::Binary => (0..size).map(|_| random.next() as u8).collect(),
        Kind::Ascii => (0..size).map(|_| b' ' + (random.next() % 95) as u8).collect(),
        Kind::Mixed => mixed(size, &mut random).into_bytes(),
        Kind::Json => json(size, index, &mut random).into_bytes(),
    }
}

/// Half of it ASCII, the rest letters of two bytes, of three, and now and then an emoji.
fn mixed(size: usize, random: &mut Random) -> String {
    const LETTERS: [char; 12] = ['a', 'e', 'n', 't', ' ', 'o', 'é', 'ß', 'ж', '糸', '話', '🧵'];
    let mut text = String::with_capacity(size);
    while text.len() < size {
        let letter = LETTERS[random.next() as usize % LETTERS.len()];
        text.push(if text.len() + letter.len_utf8() > size { '.' } else { letter });
    }
    text
}

/// An event as chats and dashboards send them, filled up to `size`.
fn json(size: usize, index: usize, random: &mut Random) -> String {
    const WORDS: [&str; 8] = ["thread", "cup", "string", "voice", "taut", "knot", "paper", "listen"];
    let mut items = String::new();
    loop {
        let (word, other) = (WORDS[random.next() as usize % 8], WORDS[random.next() as usize % 8]);
        let item = format!(
            r#"{}{{"id":{},"name":"{word} {other}","price":{}.{:02}}}"#,
            if items.is_empty() { "" } else { "," },
            random.next() % 1_000_000,
            random.next() % 1000,
            random.next() % 100,
        );
        let head = format!(r#"{{"type":"update","sequence":{index},"room":"lobby","items":["#);
        let padding = size.checked_sub(head.len() + items.len() + item.len() + r#"],"pad":""}"#.len());
        if padding.is_none() {
            let left = size - head.len() - items.len() - r#"],"pad":""}"#.len();
            return format!(r#"{head}{items}],"pad":"{}"}}"#, "-".repeat(left));
        }
        items.push_str(&item);
    }
}

/// A generator that always gives the same numbers (xorshift64*).
pub struct Random(u64);

impl Random {
    /// A generator of its own for each seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }
}
