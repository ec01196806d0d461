//! What a contender has done: counted while it is timed, compared byte by byte before.

use bytes::Bytes;

/// What came of a burst.
#[derive(Debug, Default)]
pub struct Tally {
    /// Messages.
    pub messages: u64,
    /// Bytes of their payloads, or bytes that were written.
    pub bytes: u64,
    /// Of which kind they were and how each begins and ends, folded: so every payload is read, and a message that is lost,
    /// doubled or left masked is noticed.
    pub fold: u64,
    check: Option<Check>,
}

#[derive(Debug)]
struct Check {
    expected: std::vec::IntoIter<Bytes>,
    text: bool,
}

impl Tally {
    /// A tally that compares each message with the next of `expected`.
    pub fn checking(expected: Vec<Bytes>, text: bool) -> Self {
        Self { check: Some(Check { expected: expected.into_iter(), text }), ..Self::default() }
    }

    /// A message came.
    ///
    /// # Panics
    /// If it is checked, and is not what was expected.
    #[inline(always)]
    pub fn message(&mut self, text: bool, payload: &[u8]) {
        self.messages += 1;
        self.bytes += payload.len() as u64;
        if let [first, .., last] = *payload {
            self.fold = self.fold.rotate_left(7) ^ (u64::from(first) << 9 | u64::from(last) << 1 | u64::from(text));
        }
        if let Some(check) = &mut self.check {
            check.compare(text, payload);
        }
    }

    /// Messages were sent, and became this many bytes.
    #[inline]
    pub const fn sent(&mut self, messages: usize, bytes: usize) {
        self.messages += messages as u64;
        self.bytes += bytes as u64;
    }
}

impl Check {
    #[cold]
    fn compare(&mut self, text: bool, payload: &[u8]) {
        let expected = self.expected.next().expect("no more messages came than were sent");
        assert_eq!(text, self.text, "text or binary");
        assert!(payload == expected, "a payload of {} bytes came that is not the one sent", payload.len());
    }
}
