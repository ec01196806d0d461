//! The allocator of the modules: blocks of few sizes, each taken from and given back to a list of free blocks of its size.
//!
//! It is a tenth of what a general allocator is in code. Four sizes to each doubling waste a fifth of a block at the
//! most. Blocks are never joined, so memory that one size has used stays that size's: what a connection needs comes in
//! the same sizes again and again.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::{NonNull, null_mut};

/// The smallest block, and what every block is aligned to.
const LEAST: usize = 16;

/// Sizes up to 2^31.
const SIZES: usize = 4 * 28;

/// A block that is free holds the next one of its size.
type Free = Option<NonNull<u8>>;

/// Where memory comes from, in steps of whole pages.
pub(crate) trait Pages {
    /// At least `bytes` more bytes behind those that it gave before, as the addresses of their beginning and end.
    fn grow(&self, bytes: usize) -> Option<(usize, usize)>;
}

/// An allocator for one thread.
pub(crate) struct Blocks<P> {
    pages: P,
    state: UnsafeCell<State>,
}

struct State {
    free: [Free; SIZES],
    /// Memory that was never used.
    next: usize,
    end: usize,
}

// SAFETY: the modules are built without threads.
unsafe impl<P> Sync for Blocks<P> {}

impl<P> Blocks<P> {
    pub(crate) const fn new(pages: P) -> Self {
        Self { pages, state: UnsafeCell::new(State { free: [None; SIZES], next: 0, end: 0 }) }
    }
}

/// The index of the smallest size that holds `len` bytes, and that size: quarters of the way from one power of two to the
/// next, all multiples of 16.
fn size_of_block(len: usize) -> (usize, usize) {
    let len = len.max(LEAST);
    // 2^shift < len <= 2^(shift + 1)
    let shift = (len - 1).ilog2() as usize;
    let step = (1usize << shift) / 4;
    if step < LEAST {
        let size = len.next_multiple_of(LEAST);
        return (size / LEAST, size);
    }
    let quarters = (len - 1 - (1 << shift)) / step;
    (shift * 4 + quarters - 16, (1 << shift) + (quarters + 1) * step)
}

// SAFETY: a block is of the size of its index, and either in use or in the list of that index; no two overlap, since all
// are cut off memory that was never used. All begin at multiples of 16, the largest alignment that is asked for.
unsafe impl<P: Pages> GlobalAlloc for Blocks<P> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > LEAST || layout.size() > 1 << 30 {
            return null_mut();
        }
        let (index, size) = size_of_block(layout.size());
        // SAFETY: there is one thread, and no call from within.
        let state = unsafe { &mut *self.state.get() };
        if let Some(block) = state.free[index] {
            // SAFETY: `dealloc` wrote the next one there.
            state.free[index] = unsafe { block.cast::<Free>().read() };
            return block.as_ptr();
        }
        if state.end - state.next < size {
            let Some((start, end)) = self.pages.grow(size) else { return null_mut() };
            // Memory grows at its end, so what was left goes on there.
            if start != state.end {
                state.next = start.next_multiple_of(LEAST);
            }
            state.end = end;
        }
        let block = state.next;
        state.next += size;
        block as *mut u8
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let (index, _) = size_of_block(layout.size());
        // SAFETY: there is one thread, and no call from within.
        let state = unsafe { &mut *self.state.get() };
        // SAFETY: a block has room for this, is aligned for it, and is not used any more.
        unsafe { block.cast::<Free>().write(state.free[index]) };
        state.free[index] = NonNull::new(block);
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if size_of_block(layout.size()).1 == size_of_block(new_size).1 {
            return block;
        }
        // SAFETY: the caller's promises for `block` and `new_size`, passed on.
        unsafe {
            let Ok(new_layout) = Layout::from_size_align(new_size, layout.align()) else { return null_mut() };
            let new = self.alloc(new_layout);
            if !new.is_null() {
                core::ptr::copy_nonoverlapping(block, new, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}

/// The linear memory of a module.
#[cfg(target_family = "wasm")]
pub(crate) struct LinearMemory;

#[cfg(target_family = "wasm")]
impl Pages for LinearMemory {
    fn grow(&self, bytes: usize) -> Option<(usize, usize)> {
        const PAGE: usize = 64 << 10;
        let pages = bytes.div_ceil(PAGE);
        let before = core::arch::wasm32::memory_grow(0, pages);
        (before != usize::MAX).then(|| (before * PAGE, (before + pages) * PAGE))
    }
}

#[cfg(test)]
mod tests {
    use std::alloc::System;
    use std::cell::Cell;

    use super::*;

    /// A megabyte, and how much of it was given.
    struct Megabyte(usize, Cell<usize>);

    const SIZE: usize = 1 << 20;

    impl Megabyte {
        fn new() -> Self {
            // SAFETY: the layout has a size.
            Self(unsafe { System.alloc(Layout::from_size_align(SIZE, 4096).unwrap()) } as usize, Cell::new(0))
        }
    }

    impl Pages for Megabyte {
        fn grow(&self, bytes: usize) -> Option<(usize, usize)> {
            let (from, to) = (self.1.get(), self.1.get() + bytes.next_multiple_of(4096));
            (to <= SIZE).then(|| {
                self.1.set(to);
                (self.0 + from, self.0 + to)
            })
        }
    }

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).unwrap()
    }

    #[test]
    fn a_block_is_at_most_a_quarter_larger_than_asked_for_and_every_size_has_its_index() {
        let mut indices = std::collections::BTreeMap::new();
        for len in (1..5000).chain((13..30).flat_map(|bits| [(1 << bits) - 1, 1 << bits, (1 << bits) + 1])) {
            let (index, size) = size_of_block(len);
            assert!(size >= len && size % 16 == 0 && index < SIZES, "{len}");
            assert!(len < 64 || size * 4 <= len * 5 + 64, "{len} takes {size}");
            assert_eq!(*indices.entry(index).or_insert(size), size, "{len}");
        }
    }

    #[test]
    fn blocks_do_not_overlap_and_are_used_again() {
        let blocks = Blocks::new(Megabyte::new());
        let mut live: Vec<(*mut u8, usize)> = Vec::new();
        let mut random = 1_u32;
        for round in 0..20_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let size = 1 + (random >> 16) as usize % 700;
            if live.len() < 100 {
                // SAFETY: the layout has a size, and the block is as long.
                unsafe {
                    let block = blocks.alloc(layout(size));
                    assert!(!block.is_null(), "memory that was given back is used again (round {round})");
                    block.write_bytes(block as u8 ^ size as u8, size);
                    live.push((block, size));
                }
            } else {
                let (block, old) = live.swap_remove(random as usize % 100);
                // SAFETY: the block is live and `old` long.
                unsafe {
                    let same = |block: *mut u8, len| std::slice::from_raw_parts(block, len).to_vec();
                    let expected = vec![block as u8 ^ old as u8; old];
                    assert_eq!(same(block, old), expected);
                    let moved = blocks.realloc(block, layout(old), size);
                    assert_eq!(same(moved, old.min(size)), expected[..old.min(size)]);
                    blocks.dealloc(moved, layout(size));
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_and_nothing_is_lost() {
        let blocks = Blocks::new(Megabyte::new());
        // SAFETY: the layouts have sizes.
        unsafe {
            assert!(blocks.alloc(layout(2 << 20)).is_null());
            let block = blocks.alloc(layout(SIZE / 2));
            assert!(!block.is_null());
            assert!(blocks.realloc(block, layout(SIZE / 2), SIZE).is_null());
            block.write_bytes(1, SIZE / 2);
        }
    }
}
