//! The allocator by the names of C, for zlib-rs, which without `std` knows no other.

use alloc::alloc::{alloc, alloc_zeroed, dealloc};
use core::alloc::Layout;
use core::ptr::null_mut;

/// Before each block stands its size, which `free` is not told. Blocks are as aligned as this is long.
const HEAD: usize = 16;

fn layout(size: usize) -> Option<Layout> {
    Layout::from_size_align(size.checked_add(HEAD)?, HEAD).ok()
}

/// Notes the size of a block, of which the caller is given what lies behind it.
fn begin(block: *mut u8, size: usize) -> *mut u8 {
    if block.is_null() {
        return block;
    }
    // SAFETY: the block begins with room for it, and is aligned for it.
    unsafe {
        block.cast::<usize>().write(size);
        block.add(HEAD)
    }
}

/// C's `malloc`.
#[unsafe(no_mangle)]
extern "C" fn malloc(size: usize) -> *mut u8 {
    // SAFETY: the layout is not empty.
    layout(size).map_or(null_mut(), |layout| begin(unsafe { alloc(layout) }, size))
}

/// C's `calloc`.
#[unsafe(no_mangle)]
extern "C" fn calloc(count: usize, each: usize) -> *mut u8 {
    let Some(size) = count.checked_mul(each) else { return null_mut() };
    // SAFETY: the layout is not empty.
    layout(size).map_or(null_mut(), |layout| begin(unsafe { alloc_zeroed(layout) }, size))
}

/// C's `free`.
///
/// # Safety
///
/// The block comes from `malloc` or `calloc` and was not freed, or is null.
#[unsafe(no_mangle)]
unsafe extern "C" fn free(block: *mut u8) {
    if block.is_null() {
        return;
    }
    // SAFETY: before what the caller was given stands the size that the block was made with.
    unsafe {
        let start = block.sub(HEAD);
        if let Some(layout) = layout(start.cast::<usize>().read()) {
            dealloc(start, layout);
        }
    }
}
