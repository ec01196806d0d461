//! The only unsafe code of the core, for three things that safe code can't do: use the vector instructions that a processor
//! turns out to have, fill the spare capacity of a buffer without clearing it first, and call text what the core itself has
//! checked. Without it the masking of 64 KiB takes twice the time, and so does the queueing of a small frame.
//!
//! `tests/mask.rs` compares all of it with a naive twin, at every length and alignment; `npm run miri` runs that in Miri.
#![allow(unsafe_code)]

#[cfg(not(target_family = "wasm"))]
use core::mem::MaybeUninit;

use crate::mask::apply_in_steps;
#[cfg(not(target_family = "wasm"))]
use crate::mask::{rotated, xor};
use crate::prelude::{String, Vec};
use crate::utf8;

/// From this length on vectors are worth a look at what the processor has.
#[cfg(not(target_family = "wasm"))]
const LONG: usize = 256;

/// Beyond this length `memcpy` is worth its call.
#[cfg(not(target_family = "wasm"))]
const SHORT: usize = 128;

/// The bytes as text, if they are.
#[cfg(target_family = "wasm")]
pub(crate) fn checked_text(bytes: &[u8]) -> Option<&str> {
    // SAFETY: they are UTF-8, which is all that `str` asks for.
    utf8::is_text(bytes).then(|| unsafe { str::from_utf8_unchecked(bytes) })
}

/// The bytes as text, if they are.
pub(crate) fn checked_string(bytes: Vec<u8>) -> Option<String> {
    // SAFETY: they are UTF-8, which is all that `String` asks for.
    utf8::is_text(&bytes).then(|| unsafe { String::from_utf8_unchecked(bytes) })
}

/// Masks a long payload in place.
pub(crate) fn apply_long(key: [u8; 4], bytes: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, which is all that the function asks for.
        return unsafe { avx2::apply(key, bytes) };
    }
    apply_in_steps(key, bytes);
}

/// Writes `from`, masked, to `to`, which is as long.
#[cfg(not(target_family = "wasm"))]
#[inline(always)]
fn copy_in_steps(key: [u8; 4], from: &[u8], to: &mut [MaybeUninit<u8>]) {
    match from.len() {
        16.. => copy_overlapping::<16>(key, from, to),
        8.. => copy_overlapping::<8>(key, from, to),
        4.. => copy_overlapping::<4>(key, from, to),
        _ => from.iter().zip(key).zip(to).for_each(|((from, key), to)| _ = to.write(from ^ key)),
    }
}

/// In steps of `N` bytes, of which the last ends with the payload and overlaps the one before it.
#[cfg(not(target_family = "wasm"))]
#[inline(always)]
fn copy_overlapping<const N: usize>(key: [u8; 4], from: &[u8], to: &mut [MaybeUninit<u8>]) {
    for (from, to) in from.as_chunks::<N>().0.iter().zip(to.as_chunks_mut::<N>().0) {
        put(to, xor(key, *from));
    }
    if let (Some(last), Some(to)) = (from.last_chunk::<N>(), to.last_chunk_mut::<N>()) {
        put(to, xor(rotated(key, from.len() - N), *last));
    }
}

/// Writes `from` to `to`, which is as long: the beginning and the end, each half of it or more.
#[cfg(not(target_family = "wasm"))]
#[inline(always)]
fn copy_short(from: &[u8], to: &mut [MaybeUninit<u8>]) {
    match from.len() {
        65.. => copy_ends::<64>(from, to),
        33.. => copy_ends::<32>(from, to),
        17.. => copy_ends::<16>(from, to),
        8.. => copy_ends::<8>(from, to),
        4.. => copy_ends::<4>(from, to),
        _ => from.iter().zip(to).for_each(|(from, to)| _ = to.write(*from)),
    }
}

#[cfg(not(target_family = "wasm"))]
#[inline(always)]
fn copy_ends<const N: usize>(from: &[u8], to: &mut [MaybeUninit<u8>]) {
    debug_assert!((N..=2 * N).contains(&from.len()));
    if let (Some(from), Some(to)) = (from.first_chunk::<N>(), to.first_chunk_mut::<N>()) {
        put(to, *from);
    }
    if let (Some(from), Some(to)) = (from.last_chunk::<N>(), to.last_chunk_mut::<N>()) {
        put(to, *from);
    }
}

#[cfg(not(target_family = "wasm"))]
#[inline(always)]
fn put<const N: usize>(to: &mut [MaybeUninit<u8>; N], bytes: [u8; N]) {
    // SAFETY: both types have the same layout, and the reference is to memory that may be written.
    unsafe { (&raw mut *to).cast::<[u8; N]>().write(bytes) };
}

/// Writes a long payload, masked, to `to`, which is as long.
#[cfg(not(target_family = "wasm"))]
fn copy_long(key: [u8; 4], from: &[u8], to: &mut [MaybeUninit<u8>]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, which is all that the function asks for.
        return unsafe { avx2::copy(key, from, to) };
    }
    copy_in_steps(key, from, to);
}

/// Appends the first `len` bytes of `head`, and `payload`, masked if there is a key: in as little code as possible.
#[cfg(target_family = "wasm")]
#[inline(never)]
pub(crate) fn append((head, len): ([u8; 16], usize), key: Option<[u8; 4]>, payload: &[u8], out: &mut Vec<u8>) {
    out.reserve(16 + payload.len());
    out.extend_from_slice(&head[..len]);
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(key) = key {
        apply_in_steps(key, &mut out[start..]);
    }
}

/// Appends the first `len` bytes of `head`, and `payload`, masked if there is a key.
#[cfg(not(target_family = "wasm"))]
#[inline(always)]
pub(crate) fn append((head, len): ([u8; 16], usize), key: Option<[u8; 4]>, payload: &[u8], out: &mut Vec<u8>) {
    out.reserve(16 + payload.len());
    let spare = out.spare_capacity_mut();
    if let Some(to) = spare.first_chunk_mut() {
        put(to, head);
    }
    let target = &mut spare[len..len + payload.len()];
    match key {
        Some(key) if payload.len() < LONG => copy_in_steps(key, payload, target),
        Some(key) => copy_long(key, payload, target),
        None if payload.len() <= SHORT => copy_short(payload, target),
        None => {
            // SAFETY: `u8` and `MaybeUninit<u8>` have the same layout, and what is initialised may be read as if it
            // might not be.
            let payload = unsafe { &*(&raw const *payload as *const [MaybeUninit<u8>]) };
            target.copy_from_slice(payload);
        }
    }
    debug_assert!(len <= 16);
    let end = out.len() + len + payload.len();
    // SAFETY: `target` ends there, so it lies within the capacity. What lies before `target` was written by the head, or
    // before this call, since no header is longer than the 16 bytes of the array; `target` was written just now, because
    // each of the three copies writes all of what it is given.
    unsafe { out.set_len(end) };
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use core::mem::MaybeUninit;

    use super::{copy_in_steps, put};
    use crate::mask::{apply_in_steps, rotated, xor};

    /// Four stores of 32 bytes a step, aligned.
    #[target_feature(enable = "avx2")]
    pub(super) fn apply(key: [u8; 4], bytes: &mut [u8]) {
        let start = bytes.as_ptr().align_offset(32).min(bytes.len());
        let (start, bytes) = bytes.split_at_mut(start);
        apply_in_steps(key, start);
        let key = rotated(key, start.len());
        let (steps, rest) = bytes.as_chunks_mut::<128>();
        for step in steps {
            for word in step.as_chunks_mut::<4>().0 {
                *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(key)).to_ne_bytes();
            }
        }
        apply_in_steps(key, rest);
    }

    /// Four stores of 32 bytes a step, aligned.
    #[target_feature(enable = "avx2")]
    pub(super) fn copy(key: [u8; 4], from: &[u8], to: &mut [MaybeUninit<u8>]) {
        let start = to.as_ptr().align_offset(32).min(to.len());
        let ((from_start, from), (to_start, to)) = (from.split_at(start), to.split_at_mut(start));
        copy_in_steps(key, from_start, to_start);
        let key = rotated(key, start);
        let ((steps, from), (to_steps, to)) = (from.as_chunks::<128>(), to.as_chunks_mut::<128>());
        for (from, to) in steps.iter().zip(to_steps) {
            put(to, xor(key, *from));
        }
        copy_in_steps(key, from, to);
    }
}
