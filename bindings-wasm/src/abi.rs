//! What crosses the border besides bytes: handles of objects, words that a call leaves for JavaScript, and the calls to
//! the host. The unsafe code of this crate is here.

use alloc::boxed::Box;
use core::cell::RefCell;
use core::ptr::NonNull;

/// An object that JavaScript holds, from [`Handle::new`] to [`Handle::free`].
#[repr(transparent)]
pub struct Handle<T>(NonNull<T>);

impl<T> Handle<T> {
    /// Hands an object over to JavaScript.
    pub(crate) fn new(object: T) -> Self {
        Self(NonNull::from(Box::leak(Box::new(object))))
    }

    /// Works on the object.
    pub(crate) fn with<R>(self, work: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: the pointer comes from `new`. `lib/resource.ts` is the only place where handles are kept: it gives one to
        // no call after `free`, nor to a call that is made from within another, as by a source of masking keys.
        work(unsafe { &mut *self.0.as_ptr() })
    }

    /// Takes the object back and gives up its memory.
    pub(crate) fn free(self) {
        // SAFETY: as in `with`; after this call JavaScript has no handle any more.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }

    /// The same handle, as JavaScript passes it again.
    #[cfg(test)]
    pub(crate) const fn copy(&self) -> Self {
        Self(self.0)
    }
}

/// A variable of the module, which has one thread. Elsewhere, for the tests, each thread has its own.
pub(crate) struct Local<T>(RefCell<T>);

// SAFETY: the modules are built without threads.
#[cfg(target_family = "wasm")]
unsafe impl<T> Sync for Local<T> {}

impl<T> Local<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(RefCell::new(value))
    }

    #[cfg(target_family = "wasm")]
    pub(crate) fn with<R>(&self, work: impl FnOnce(&Self) -> R) -> R {
        work(self)
    }

    pub(crate) fn with_mut<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        work(&mut self.0.borrow_mut())
    }
}

/// Declares a [`Local`].
macro_rules! local {
    ($(#[$about:meta])* $name:ident: $type:ty = $value:expr) => {
        $(#[$about])*
        #[cfg(target_family = "wasm")]
        static $name: $crate::abi::Local<$type> = $crate::abi::Local::new($value);
        #[cfg(not(target_family = "wasm"))]
        std::thread_local! {
            static $name: $crate::abi::Local<$type> = const { $crate::abi::Local::new($value) };
        }
    };
}
pub(crate) use local;

/// Lends bytes whose address JavaScript knows from a table.
pub(crate) fn borrow<R>(address: *const u8, len: usize, work: impl FnOnce(&[u8]) -> R) -> R {
    // SAFETY: `lib/events.ts` passes what the last call said of a payload, before any call that could give it back.
    work(unsafe { core::slice::from_raw_parts(address, len) })
}

const WORDS: usize = 8;

local! {
    /// What a call tells besides its result.
    TOLD: [u32; WORDS] = [0; WORDS]
}

/// The address of the words that calls leave.
#[unsafe(no_mangle)]
pub extern "C" fn words() -> *const u32 {
    TOLD.with(|told| told.with_mut(|words| words.as_ptr()))
}

/// Leaves words for JavaScript, which hold until the next call.
pub(crate) fn tell(words: &[u32]) {
    TOLD.with(|told| told.with_mut(|told| told[..words.len()].copy_from_slice(words)));
}

/// Where bytes lie, and how many, as words.
pub(crate) fn place(bytes: &[u8]) -> [u32; 2] {
    [bytes.as_ptr() as usize as u32, bytes.len() as u32]
}

#[cfg(test)]
pub(crate) fn told() -> [u32; WORDS] {
    TOLD.with(|told| told.with_mut(|words| *words))
}

/// The host's functions.
#[cfg(target_family = "wasm")]
pub(crate) mod host {
    #[link(wasm_import_module = "itoden")]
    unsafe extern "C" {
        #[cfg(feature = "frames")]
        #[link_name = "random"]
        fn fill_random(address: *mut u8, len: usize);
        #[cfg(feature = "codec")]
        #[link_name = "key"]
        safe fn next_key(source: u32) -> u32;
    }

    #[cfg(feature = "frames")]
    /// The host's "strong source of entropy" (RFC 6455 §5.3).
    pub(crate) fn random(bytes: &mut [u8]) {
        // SAFETY: the host writes into these bytes and nowhere else, and is done when it returns.
        unsafe { fill_random(bytes.as_mut_ptr(), bytes.len()) };
    }

    /// The next masking key of a source that the caller chose.
    #[cfg(feature = "codec")]
    pub(crate) fn key(source: u32) -> u32 {
        next_key(source)
    }
}

/// In tests there is no host.
#[cfg(not(target_family = "wasm"))]
pub(crate) mod host {
    pub(crate) fn random(bytes: &mut [u8]) {
        bytes.fill(0x37);
    }

    pub(crate) fn key(source: u32) -> u32 {
        source
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_lives_from_new_to_free() {
        let (first, second) = (Handle::new(vec![1]), Handle::new(vec![2]));
        let (again, last) = (first.copy(), first.copy());
        assert_eq!(first.with(|numbers| std::mem::replace(numbers, vec![3, 4])), [1]);
        assert_eq!(again.with(|numbers| numbers.clone()), [3, 4]);
        last.free();
        assert_eq!(second.copy().with(|numbers| numbers.clone()), [2]);
        second.free();
    }

    #[test]
    fn the_words_of_a_call_are_read_at_their_address() {
        tell(&[7, 8]);
        // SAFETY: the words are a variable of this thread.
        assert_eq!(unsafe { words().add(1).read() }, 8);
        tell(&[9]);
        assert_eq!(told()[..2], [9, 8]);
    }
}
