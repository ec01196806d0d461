//! What takes part, and the proof that it does what it is said to do.

use std::sync::Arc;

use bytes::Bytes;
use itoden_core::{Event, Timestamp};

use crate::frames;
use crate::peers::{self, itoden};
use crate::tally::Tally;
use crate::wire::Wire;
use crate::workload::{Task, Workload};

/// What a contender is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// itoden-core.
    Itoden,
    /// itoden-core on a peer's terms, to explain a difference: no bound counts it.
    Variant,
    /// Another library.
    Peer,
    /// The least that has to be done for this workload.
    Floor,
    /// A part of the floor.
    Primitive,
}

/// Something that does a burst of a workload whenever it is asked to.
pub struct Contender {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub class: Class,
    /// Where it writes to, if it sends.
    wire: Option<Wire>,
    burst: Box<dyn FnMut(&mut Tally)>,
}

impl Contender {
    /// A contender that writes to `wire`, if it sends.
    pub fn new(name: &'static str, class: Class, wire: Option<Wire>, burst: impl FnMut(&mut Tally) + 'static) -> Self {
        Self { name, class, wire, burst: Box::new(burst) }
    }

    /// A peer.
    pub fn peer(name: &'static str, wire: Wire, burst: impl FnMut(&mut Tally) + 'static) -> Self {
        Self::new(name, Class::Peer, Some(wire), burst)
    }

    /// A part of the floor, which only counts messages.
    pub fn primitive(name: &'static str, burst: impl FnMut(&mut Tally) + 'static) -> Self {
        Self::new(name, Class::Primitive, None, burst)
    }

    /// All contenders of a workload, each of which was seen to do it right.
    pub fn all(workload: &Workload) -> Vec<Self> {
        let mut all = itoden::contenders(workload);
        all.extend(peers::contenders(workload));
        all.extend(crate::floor::contenders(workload));
        all.iter_mut().for_each(|contender| contender.prove(workload));
        all
    }

    /// Does a burst.
    #[inline]
    pub fn burst(&mut self, tally: &mut Tally) {
        (self.burst)(tally);
    }

    /// Does a burst and compares every byte that came of it.
    fn prove(&mut self, workload: &Workload) {
        if self.class == Class::Primitive {
            return;
        }
        let mut tally = Tally::checking(workload.payloads.clone(), workload.case.is_text());
        self.burst(&mut tally);
        let (name, count) = (self.name, workload.payloads.len() as u64);
        assert_eq!(tally.messages, count, "{name} did all messages of {}", workload.case.name());
        if let Some(wire) = self.wire.as_ref().filter(|_| !matches!(workload.case.task, Task::Decode | Task::Inflate)) {
            let written = written(workload, &wire.to_vec());
            assert!(written == workload.payloads, "{name} wrote what was sent: {}", workload.case.name());
        }
    }
}

/// The messages that a peer would read out of these bytes.
fn written(workload: &Workload, bytes: &[u8]) -> Vec<Bytes> {
    let frames = frames::read(bytes);
    let masked = workload.case.task == Task::EncodeClient;
    let compressed = workload.case.task == Task::Deflate;
    for (frame, _) in &frames {
        assert_eq!(frame.key.is_some(), masked, "a client masks, a server does not");
        assert_eq!((frame.text, frame.compressed), (workload.case.is_text(), compressed));
    }
    if !compressed {
        return frames.into_iter().map(|(_, payload)| payload.into()).collect();
    }
    let (mut client, _) = itoden::compressing(workload.case.takeover, Arc::default());
    let mut bytes = bytes.to_vec();
    let mut input = client.handle_bytes(Timestamp::ZERO, &mut bytes);
    let mut messages = Vec::new();
    while let Some(event) = client.poll_event(&mut input) {
        match event {
            Event::Message(message) => messages.push(Bytes::copy_from_slice(message.as_bytes())),
            other => panic!("only messages were sent, but {other:?} came"),
        }
    }
    messages
}
