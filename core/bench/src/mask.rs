//! Masking as fast as this machine can: short payloads in steps that need no set-up, long ones in vectors.

/// Below this length a look at what the processor can do costs more than it brings.
const SHORT: usize = 256;

/// XORs with the key in place.
#[inline]
pub fn apply(key: [u8; 4], bytes: &mut [u8]) {
    if bytes.len() < SHORT {
        return in_steps(key, bytes);
    }
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        return unsafe { x86::apply(key, bytes) };
    }
    in_steps(key, bytes);
}

/// XORs with the key on the way from `from` to `to`, which are of the same length.
#[inline]
pub fn copy(key: [u8; 4], from: &[u8], to: &mut [u8]) {
    if from.len() < SHORT {
        return copy_in_steps(key, from, to);
    }
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        return unsafe { x86::copy(key, from, to) };
    }
    copy_in_steps(key, from, to);
}

/// The key four times, computed in registers: put together from bytes it would cost more than the masking.
#[inline(always)]
fn repeated(key: [u8; 4]) -> u128 {
    let word = u64::from(u32::from_ne_bytes(key));
    let long = u128::from(word << 32 | word);
    long << 64 | long
}

#[inline(always)]
fn in_steps(key: [u8; 4], bytes: &mut [u8]) {
    let wide = repeated(key);
    let (chunks, rest) = bytes.as_chunks_mut::<16>();
    for chunk in chunks {
        *chunk = (u128::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    let (chunks, rest) = rest.as_chunks_mut::<4>();
    for chunk in chunks {
        *chunk = (u32::from_ne_bytes(*chunk) ^ u32::from_ne_bytes(key)).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
}

#[inline(always)]
fn copy_in_steps(key: [u8; 4], from: &[u8], to: &mut [u8]) {
    let wide = repeated(key);
    let ((from, from_rest), (to, to_rest)) = (from.as_chunks::<16>(), to.as_chunks_mut::<16>());
    for (from, to) in from.iter().zip(to) {
        *to = (u128::from_ne_bytes(*from) ^ wide).to_ne_bytes();
    }
    let ((from, from_rest), (to, to_rest)) = (from_rest.as_chunks::<4>(), to_rest.as_chunks_mut::<4>());
    for (from, to) in from.iter().zip(to) {
        *to = (u32::from_ne_bytes(*from) ^ u32::from_ne_bytes(key)).to_ne_bytes();
    }
    for ((from, to), key) in from_rest.iter().zip(to_rest).zip(key) {
        *to = from ^ key;
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{copy_in_steps, in_steps};

    /// Four stores of 32 bytes a step, aligned.
    #[target_feature(enable = "avx2")]
    pub(super) fn apply(mut key: [u8; 4], bytes: &mut [u8]) {
        let start = bytes.as_ptr().align_offset(32).min(bytes.len());
        let (start, bytes) = bytes.split_at_mut(start);
        in_steps(key, start);
        key.rotate_left(start.len() % 4);
        let (chunks, rest) = bytes.as_chunks_mut::<128>();
        for chunk in chunks {
            for four in chunk.as_chunks_mut::<4>().0 {
                *four = (u32::from_ne_bytes(*four) ^ u32::from_ne_bytes(key)).to_ne_bytes();
            }
        }
        in_steps(key, rest);
    }

    /// Four stores of 32 bytes a step, aligned.
    #[target_feature(enable = "avx2")]
    pub(super) fn copy(mut key: [u8; 4], from: &[u8], to: &mut [u8]) {
        let start = to.as_ptr().align_offset(32).min(to.len());
        let ((from_start, from), (to_start, to)) = (from.split_at(start), to.split_at_mut(start));
        copy_in_steps(key, from_start, to_start);
        key.rotate_left(start % 4);
        let ((from, from_rest), (to, to_rest)) = (from.as_chunks::<128>(), to.as_chunks_mut::<128>());
        for (from, to) in from.iter().zip(to) {
            for (from, to) in from.as_chunks::<4>().0.iter().zip(to.as_chunks_mut::<4>().0) {
                *to = (u32::from_ne_bytes(*from) ^ u32::from_ne_bytes(key)).to_ne_bytes();
            }
        }
        copy_in_steps(key, from_rest, to_rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_and_alignment_is_masked_as_byte_by_byte() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let bytes: Vec<u8> = (0..1200).map(|index| (index * 7) as u8).collect();
        for start in 0..33 {
            for length in (0..300).chain([1000, 1023]) {
                let payload = &bytes[start..start + length];
                let expected: Vec<u8> = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
                let mut place = bytes.clone();
                apply(key, &mut place[start..start + length]);
                assert_eq!(place[start..start + length], expected);
                assert_eq!((&place[..start], &place[start + length..]), (&bytes[..start], &bytes[start + length..]));
                let mut place = bytes.clone();
                copy(key, payload, &mut place[start..start + length]);
                assert_eq!(place[start..start + length], expected);
            }
        }
    }
}
