//! A second reading of DEFLATE (RFC 1951), bit by bit and as plain as can be, to which the core's is compared.
//!
//! Which code sets are complete enough is zlib's rule: a set may lack codes only if it has a single one, of one bit.

/// What a stream is worth as far as it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may go on.
    Valid,
    /// No DEFLATE stream begins like this.
    Invalid,
    /// It becomes more than is asked for.
    TooMuch,
}

/// What the bytes of a stream become.
#[derive(Debug)]
pub struct Inflated {
    pub bytes: Vec<u8>,
    pub verdict: Verdict,
    /// The farthest that a match reaches back.
    pub farthest: usize,
    /// How many bytes were begun where each block ended, and whether it was the last of a stream.
    pub ends: Vec<(usize, bool)>,
}

/// Why reading stops.
enum Stop {
    /// The bits are used up.
    End,
    Invalid,
    TooMuch,
}

/// Inflates what has come of a raw stream, up to `most` bytes; a new stream begins behind a block that says it is the last.
pub fn inflate(input: &[u8], most: usize) -> Inflated {
    let mut reader = Reader { input, at: 0, most, stream: 0, out: Vec::new(), farthest: 0, ends: Vec::new() };
    let verdict = loop {
        match reader.block() {
            Ok(()) => {}
            Err(Stop::End) => break Verdict::Valid,
            Err(Stop::Invalid) => break Verdict::Invalid,
            Err(Stop::TooMuch) => break Verdict::TooMuch,
        }
    };
    Inflated { bytes: reader.out, verdict, farthest: reader.farthest, ends: reader.ends }
}

struct Reader<'a> {
    input: &'a [u8],
    /// The next bit.
    at: usize,
    /// The most bytes that `out` is to have.
    most: usize,
    /// Where the present stream began in `out`: nothing before it can be meant.
    stream: usize,
    out: Vec<u8>,
    farthest: usize,
    ends: Vec<(usize, bool)>,
}

/// A set of prefix codes: for each length how many there are, and the symbols in the order of their codes.
struct Codes {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Codes {
    /// `None` if the set has too many codes, or too few.
    fn new(lengths: &[usize], single_allowed: bool) -> Option<Self> {
        let mut counts = [0; 16];
        lengths.iter().for_each(|&length| counts[length] += 1);
        let mut left = 1usize;
        for count in &counts[1..] {
            left = (left * 2).checked_sub(*count)?;
        }
        let symbols: Vec<_> =
            (1..16).flat_map(|wanted| (0..lengths.len()).filter(move |&symbol| lengths[symbol] == wanted)).collect();
        let single = symbols.is_empty() || (single_allowed && symbols.len() == 1 && counts[1] == 1);
        (left == 0 || single).then_some(Self { counts, symbols })
    }
}

const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// The lengths of the symbols 257 to 285, and the distances of 0 to 29: each base with its number of further bits.
const LENGTHS: [(usize, usize); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];

fn distance(symbol: usize) -> (usize, usize) {
    if symbol < 4 { (symbol + 1, 0) } else { (((2 + symbol % 2) << (symbol / 2 - 1)) + 1, symbol / 2 - 1) }
}

impl Reader<'_> {
    fn bits(&mut self, count: usize) -> Result<usize, Stop> {
        let mut value = 0;
        for bit in 0..count {
            let byte = self.input.get(self.at / 8).ok_or(Stop::End)?;
            value |= usize::from(byte >> (self.at % 8) & 1) << bit;
            self.at += 1;
        }
        Ok(value)
    }

    fn push(&mut self, byte: u8) -> Result<(), Stop> {
        if self.out.len() == self.most {
            return Err(Stop::TooMuch);
        }
        self.out.push(byte);
        Ok(())
    }

    fn symbol(&mut self, codes: &Codes) -> Result<usize, Stop> {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &codes.counts[1..] {
            code |= self.bits(1)?;
            if code - first < *count {
                return Ok(codes.symbols[index + code - first]);
            }
            index += count;
            first = (first + count) * 2;
            code *= 2;
            // No longer code is left that these bits could begin.
            if index == codes.symbols.len() {
                break;
            }
        }
        Err(Stop::Invalid)
    }

    fn block(&mut self) -> Result<(), Stop> {
        let last = self.bits(1)? == 1;
        match self.bits(2)? {
            0 => self.stored()?,
            1 => {
                let lengths: Vec<_> = (0..288)
                    .map(|symbol| match symbol {
                        0..144 => 8,
                        144..256 => 9,
                        256..280 => 7,
                        _ => 8,
                    })
                    .collect();
                let codes = Codes::new(&lengths, false).expect("the fixed set is complete");
                let distances = Codes::new(&[5; 32], false).expect("the fixed set is complete");
                self.compressed(&codes, &distances)?;
            }
            2 => {
                let (codes, distances) = self.dynamic()?;
                self.compressed(&codes, &distances)?;
            }
            _ => return Err(Stop::Invalid),
        }
        self.ends.push((self.at.div_ceil(8), last));
        if last {
            self.at = self.at.next_multiple_of(8);
            self.stream = self.out.len();
        }
        Ok(())
    }

    fn stored(&mut self) -> Result<(), Stop> {
        self.at = self.at.next_multiple_of(8);
        let (len, check) = (self.bits(16)?, self.bits(16)?);
        if len != check ^ 0xffff {
            return Err(Stop::Invalid);
        }
        for _ in 0..len {
            let byte = self.bits(8)? as u8;
            self.push(byte)?;
        }
        Ok(())
    }

    fn dynamic(&mut self) -> Result<(Codes, Codes), Stop> {
        let (literals, distances, lengths) = (self.bits(5)? + 257, self.bits(5)? + 1, self.bits(4)? + 4);
        if literals > 286 || distances > 30 {
            return Err(Stop::Invalid);
        }
        let mut first = [0; 19];
        for &symbol in &ORDER[..lengths] {
            first[symbol] = self.bits(3)?;
        }
        let codes = Codes::new(&first, false).ok_or(Stop::Invalid)?;
        let mut all = Vec::new();
        while all.len() < literals + distances {
            // zlib reads a set without any code as a length of 0 for each bit.
            let symbol = if codes.symbols.is_empty() { self.bits(1).map(|_| 0) } else { self.symbol(&codes) }?;
            let (repeated, times) = match symbol {
                16 => (*all.last().ok_or(Stop::Invalid)?, 3 + self.bits(2)?),
                17 => (0, 3 + self.bits(3)?),
                18 => (0, 11 + self.bits(7)?),
                length => (length, 1),
            };
            all.resize(all.len() + times, repeated);
        }
        let no_end_of_block = all.get(256) == Some(&0);
        if all.len() > literals + distances || no_end_of_block {
            return Err(Stop::Invalid);
        }
        let codes = Codes::new(&all[..literals], true).ok_or(Stop::Invalid)?;
        Ok((codes, Codes::new(&all[literals..], true).ok_or(Stop::Invalid)?))
    }

    fn compressed(&mut self, codes: &Codes, distances: &Codes) -> Result<(), Stop> {
        loop {
            let symbol = self.symbol(codes)?;
            match symbol {
                0..256 => self.push(symbol as u8)?,
                256 => return Ok(()),
                _ => {
                    let &(base, more) = LENGTHS.get(symbol - 257).ok_or(Stop::Invalid)?;
                    let length = base + self.bits(more)?;
                    let symbol = self.symbol(distances)?;
                    if symbol >= 30 {
                        return Err(Stop::Invalid);
                    }
                    let (base, more) = distance(symbol);
                    let distance = base + self.bits(more)?;
                    if distance > self.out.len() - self.stream {
                        return Err(Stop::Invalid);
                    }
                    self.farthest = self.farthest.max(distance);
                    for _ in 0..length {
                        self.push(self.out[self.out.len() - distance])?;
                    }
                }
            }
        }
    }
}
