//! Who drives a connection: of the threads that wait for something one reads, and the others follow.

/// What a thread that waits is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Look again: something happened since it last did.
    Looks,
    /// Wait for the socket, and read.
    Drives,
    /// Wait until the socket has room, and write.
    Pushes,
    /// Wait until the one who drives has done a turn.
    Follows,
}

/// What is left to be done by the thread that leaves the socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    /// There are followers to be woken.
    pub(super) wakes: bool,
    /// It was the last one that had the socket of a connection which has ended in its hands.
    pub(super) gives_back: bool,
    /// Nobody may be there to look after the connection.
    pub(super) offers: bool,
}

#[derive(Debug, Default)]
pub(super) struct Wheel {
    driven: bool,
    followers: u32,
    /// Threads that have the socket in their hands.
    users: u32,
    /// Counts what those who wait may wait for.
    pub(super) happened: u64,
    /// Counts turns that were driven by threads of the application.
    pub(super) turns: u64,
    /// The watcher looks at the connection every now and then; see `itoden/sync/watcher.py`.
    pub(super) hot: bool,
    /// The watcher waits for its bytes and its time.
    pub(super) armed: bool,
    turns_when_armed: u64,
    /// The transport has ended.
    pub(super) ended: bool,
}

impl Wheel {
    /// Gives a role to a thread that had `seen` so much happen when it last looked. Who follows must be waiting by the time that
    /// the next one leaves.
    pub(super) fn begin(&mut self, seen: u64, reading_paused: bool, has_unsent: bool) -> Role {
        if self.happened != seen || self.ended {
            return Role::Looks;
        }
        // Who waits for the socket does not notice that reading goes on, so nobody drives while it is paused.
        if !self.driven && !reading_paused {
            self.driven = true;
            self.users += 1;
            return Role::Drives;
        }
        // Nor does a sender depend on the one who drives, who may wait for something to read only.
        if has_unsent {
            self.users += 1;
            return Role::Pushes;
        }
        self.followers += 1;
        Role::Follows
    }

    /// Begins to drive, if that is what `begin()` would say.
    #[cfg(unix)]
    pub(super) fn try_drive(&mut self, seen: u64) -> bool {
        !self.driven && self.begin(seen, false, false) == Role::Drives
    }

    pub(super) fn stop_following(&mut self) {
        self.followers -= 1;
    }

    /// `drove`: it gives the wheel back, too.
    pub(super) fn leave(&mut self, drove: bool, by_application: bool) -> Left {
        if drove {
            self.driven = false;
            self.turns += u64::from(by_application);
        }
        self.users -= 1;
        self.happened += 1;
        Left {
            wakes: self.followers > 0,
            gives_back: self.ended && self.users == 0,
            offers: drove && by_application && !(self.hot || self.armed || self.ended),
        }
    }

    /// Something happened; whether there are followers to be woken.
    pub(super) fn happen(&mut self) -> bool {
        self.happened += 1;
        self.followers > 0
    }

    /// The transport has ended: whether threads have its socket in their hands, and whether the watcher knows it.
    pub(super) fn end(&mut self) -> (bool, bool) {
        self.ended = true;
        self.hot = false;
        (self.users > 0, std::mem::take(&mut self.armed))
    }

    // --- for the watcher ---

    /// The watcher is to look at it from now on, unless it does already.
    pub(super) fn heat(&mut self) -> bool {
        let begins = !(self.hot || self.armed || self.ended);
        self.hot |= begins;
        begins
    }

    /// Begins to drive, unless somebody does, or did since the watcher began to watch.
    pub(super) fn take(&mut self) -> bool {
        if self.driven || self.ended || self.turns != self.turns_when_armed {
            return false;
        }
        self.driven = true;
        self.users += 1;
        true
    }

    /// Whether the watcher is to watch it from now on: `None` if it was used since there were so many `turns`, `Some(false)` if
    /// somebody drives.
    pub(super) fn cool(&mut self, turns: u64, has_unsent: bool) -> Option<bool> {
        if self.ended || (self.driven && !has_unsent) {
            self.hot = false;
            return Some(false);
        }
        if self.turns != turns && !self.driven {
            return None;
        }
        (self.hot, self.armed, self.turns_when_armed) = (false, true, self.turns);
        Some(true)
    }

    pub(super) fn disarm(&mut self, hot: bool) {
        (self.armed, self.hot) = (false, hot && !self.ended);
    }

    pub(super) const fn is_driven(&self) -> bool {
        self.driven
    }
}
