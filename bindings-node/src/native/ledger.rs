//! What JavaScript asked a native socket to send, and whom to tell when it is written.

use std::collections::VecDeque;

use itoden_core::Connection;

use crate::batch::{Batch, RecordKind};
use crate::order::{Order, Payload};

/// The account of one connection.
#[derive(Default)]
pub struct Ledger {
    /// Payload bytes of all messages that were asked to be sent.
    asked: u64,
    /// How many orders asked for a confirmation.
    confirms: usize,
    /// Those that wait for it, each with what `asked` was behind it.
    waiting: VecDeque<(usize, u64)>,
}

impl Ledger {
    /// Does what JavaScript asks, and tells if it can't be done.
    pub fn perform<P: Payload>(&mut self, id: u32, order: &Order<P>, connection: &mut Connection, batch: &mut Batch) {
        self.asked += order.message_len();
        let confirm = order.confirms();
        self.confirms += usize::from(confirm);
        match order.perform(connection) {
            Ok(()) if confirm => self.waiting.push_back((self.confirms, self.asked)),
            Ok(()) => {}
            Err(error) => {
                let mut value = crate::error::json(error.name(), &error.to_string());
                value["confirm"] = if confirm { self.confirms } else { 0 }.into();
                batch.push_json(id, RecordKind::SendFailed, &value);
            }
        }
    }

    /// How many payload bytes are written or given up, while `buffered` still wait.
    pub const fn settled(&self, buffered: u64) -> u64 {
        self.asked.saturating_sub(buffered)
    }

    /// Confirms what is written, while `buffered` payload bytes still wait.
    pub fn confirm(&mut self, id: u32, buffered: u64, batch: &mut Batch) {
        let settled = self.settled(buffered);
        let mut written = None;
        while let Some(&(confirm, asked)) = self.waiting.front()
            && asked <= settled
        {
            written = Some(confirm);
            self.waiting.pop_front();
        }
        if let Some(confirm) = written {
            batch.push_value(id, RecordKind::Written, confirm);
        }
    }
}
