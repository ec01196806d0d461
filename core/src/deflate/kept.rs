//! In place of the streams that a thread keeps, where there are no threads' own variables: each is made anew.

use core::ops::{Deref, DerefMut};

/// A stream that can be used again.
pub(super) trait Stream: Sized {
    /// What streams differ in.
    type MadeFor: Copy;

    fn new(made_for: Self::MadeFor) -> Self;
}

/// A stream.
pub(super) struct Kept<T: Stream> {
    made_for: T::MadeFor,
    stream: T,
}

impl<T: Stream> Kept<T> {
    pub(super) fn new(made_for: T::MadeFor) -> Self {
        Self { made_for, stream: T::new(made_for) }
    }

    /// Makes it as good as new.
    pub(super) fn restart(&mut self) {
        self.stream = T::new(self.made_for);
    }
}

impl<T: Stream> Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.stream
    }
}

impl<T: Stream> DerefMut for Kept<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.stream
    }
}
