//! Streams that no connection needs now, kept for the next that does: making a compressor costs an allocation of 380 kB
//! and the clearing of its pages, using one again only the clearing of its hash table.

use core::cell::RefCell;
use core::ops::{Deref, DerefMut};
use std::thread::LocalKey;

/// Most streams of one sort that a thread keeps: 1.5 MB of compressors.
const MAX_IDLE: usize = 4;

/// A stream that can be used again.
pub(super) trait Stream: Sized + 'static {
    /// What streams differ in: one can take the place of another made for the same.
    type MadeFor: Copy + PartialEq;

    fn new(made_for: Self::MadeFor) -> Self;

    /// Makes it as good as new.
    fn restart(&mut self, made_for: Self::MadeFor);

    /// Those that this thread keeps.
    fn idle() -> &'static LocalKey<Idle<Self>>;
}

/// The streams of one sort that a thread keeps, the one that was used last at the end.
pub(super) type Idle<T> = RefCell<Vec<(<T as Stream>::MadeFor, T)>>;

/// A stream that goes back to those that are kept when it is dropped.
pub(super) struct Kept<T: Stream> {
    made_for: T::MadeFor,
    /// There until it is dropped.
    stream: Option<T>,
}

impl<T: Stream> Kept<T> {
    pub(super) fn new(made_for: T::MadeFor) -> Self {
        // No thread that ends keeps any.
        let kept = T::idle().try_with(|idle| {
            let mut idle = idle.borrow_mut();
            let index = idle.iter().rposition(|(other, _)| *other == made_for)?;
            Some(idle.remove(index).1)
        });
        let stream = kept.ok().flatten().unwrap_or_else(|| T::new(made_for));
        Self { made_for, stream: Some(stream) }
    }

    /// Makes it as good as new.
    pub(super) fn restart(&mut self) {
        let made_for = self.made_for;
        T::restart(self, made_for);
    }
}

impl<T: Stream> Drop for Kept<T> {
    fn drop(&mut self) {
        let Some(mut stream) = self.stream.take() else { return };
        let made_for = self.made_for;
        let _ = T::idle().try_with(|idle| {
            stream.restart(made_for);
            let mut idle = idle.borrow_mut();
            if idle.len() == MAX_IDLE {
                idle.remove(0);
            }
            idle.push((made_for, stream));
        });
    }
}

impl<T: Stream> Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.stream.as_ref().expect("it is there until it is dropped")
    }
}

impl<T: Stream> DerefMut for Kept<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.stream.as_mut().expect("it is there until it is dropped")
    }
}
