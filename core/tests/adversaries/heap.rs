//! What a piece of code holds and asks of the heap, counted by the allocator of this test program.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Bytes of this thread's heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heap {
    /// The most that was held at once, above what was held at the start.
    pub(crate) peak: usize,
    /// What is still held at the end.
    pub(crate) kept: isize,
    /// All that was ever asked for.
    pub(crate) asked: usize,
}

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

fn take(bytes: usize) {
    let held = HELD.get() + bytes as isize;
    HELD.set(held);
    PEAK.set(PEAK.get().max(held));
    ASKED.set(ASKED.get() + bytes);
}

fn give(bytes: usize) {
    HELD.set(HELD.get() - bytes as isize);
}

// SAFETY: every call goes to the system's allocator as it came. The counters are cells of the thread, made without
// allocating and without destructors, so that counting is sound at any time.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        give(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both are held while bytes are copied, if the allocator can't grow the block where it lies.
        take(size);
        give(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Runs `work` on this thread and counts.
pub(crate) fn measure<T>(work: impl FnOnce() -> T) -> (T, Heap) {
    let (held, asked) = (HELD.get(), ASKED.get());
    PEAK.set(held);
    let result = work();
    let heap = Heap { peak: (PEAK.get() - held) as usize, kept: HELD.get() - held, asked: ASKED.get() - asked };
    (result, heap)
}

#[test]
fn the_heap_is_counted() {
    let (vec, heap) = measure(|| {
        drop(vec![0u8; 1000]);
        vec![0u8; 300]
    });
    assert_eq!((heap.peak, heap.kept, heap.asked), (1000, 300, 1300));
    let (_, heap) = measure(move || drop(vec));
    assert_eq!((heap.peak, heap.kept), (0, -300));
    let (_, heap) = measure(|| {
        let mut grown = Vec::<u8>::with_capacity(100);
        grown.reserve_exact(200);
    });
    assert_eq!(heap.peak, 300, "a block that grows counts twice while it does");
}
