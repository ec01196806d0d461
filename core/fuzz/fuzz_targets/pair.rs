//! A client and a server that do only what is allowed: nothing is refused or altered, whatever the compression, the chunks,
//! the pauses and the time; and if no timeout runs out, both end cleanly.
#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use itoden_fuzz::pair::{Act, Pair, Setup};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Case<'a> {
    client: Setup,
    server: Setup,
    script: Vec<Step<'a>>,
    /// Who closes in the end, if nobody did before, and the chunks in which the rest is carried.
    closes: [bool; 2],
    code: Option<u16>,
    chunk: u16,
    /// The share of what waits that the transport takes at first, of 255.
    share: u8,
    /// Who is told messages part by part.
    streams: [bool; 2],
}

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    Client(Act<'a>),
    Server(Act<'a>),
    /// All that both ends have sent is carried over.
    Settle,
    /// Time passes, in hundredths of a second.
    Wait(u8),
    /// Time passes until a timer is due, or until just before.
    Sleep {
        just_before: bool,
    },
}

/// Carries all bytes in both directions, and then the ends of the transport.
fn settle(pair: &mut Pair, chunk: usize, share: u8) {
    // Each round of one end may make the other say more, though not for ever: a Close frame is answered once.
    loop {
        let mut carried = false;
        for who in [0, 1] {
            pair.write(who, share);
            pair.write(who, u8::MAX);
            // In at most about 64 chunks, or long messages would take all the time.
            let chunk = chunk.max(pair.ends[1 - who].incoming.len() / 64);
            while pair.has_news(1 - who) {
                pair.deliver(1 - who, chunk, false);
                carried = true;
            }
        }
        if !carried {
            return;
        }
    }
}

fuzz_target!(|case: Case<'_>| {
    let mut pair = Pair::new(&case.client, &case.server);
    for (end, streams) in pair.ends.iter_mut().zip(case.streams) {
        end.connection.stream_messages(streams);
    }
    let chunk = usize::from(case.chunk) + 1;
    for step in &case.script {
        match step {
            Step::Client(act) => pair.act(0, act),
            Step::Server(act) => pair.act(1, act),
            Step::Settle => settle(&mut pair, chunk, case.share),
            Step::Sleep { just_before } => pair.sleep(*just_before),
            Step::Wait(hundredths) => pair.wait(Duration::from_millis(u64::from(*hundredths) * 10)),
        }
    }

    for who in [0, 1] {
        pair.act(who, &Act::Resume);
        pair.finish_message(who);
    }
    for who in [0, 1] {
        if case.closes[who] || case.closes == [false; 2] {
            pair.close(who, case.code, "the end");
        }
    }
    settle(&mut pair, chunk, case.share);
    for who in [0, 1] {
        let [end, peer] = [&pair.ends[who], &pair.ends[1 - who]];
        let closed = end.closed.as_ref().expect("both ends are closed in the end");
        assert_eq!(end.connection.buffered_amount(), 0);
        if !pair.timed_out {
            assert!(pair.told_everything(who));
            assert!(closed.was_clean && closed.failure.is_none(), "{closed:?}");
            let close = peer.connection.close_frame_sent().expect("both have sent a Close frame");
            assert_eq!((closed.code, &*closed.reason), (close.code, &*close.reason));
        }
    }
});
