//! System calls on the socket of a connection in threads.
//!
//! The socket itself may wait; each call here says whether it does.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

/// A socket that Python owns and keeps open while somebody has it in his hands; see [`Wheel`](super::wheel::Wheel).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Socket(RawFd);

/// Waiting for less than this, in milliseconds, is done by `poll()`: the kernel counts `SO_RCVTIMEO` in ticks.
const SHORT: u32 = 100;

/// What `SO_RCVTIMEO` was last set to, in milliseconds; 0 is none.
#[derive(Debug, Default)]
pub(super) struct ReceiveTimeout(AtomicU32);

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const NO_SIGNAL: libc::c_int = libc::MSG_NOSIGNAL;
/// Python ignores SIGPIPE.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const NO_SIGNAL: libc::c_int = 0;

fn counted(count: isize) -> io::Result<usize> {
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

impl Socket {
    pub(crate) const fn new(descriptor: RawFd) -> Self {
        Self(descriptor)
    }

    pub(crate) const fn descriptor(self) -> RawFd {
        self.0
    }

    fn receive(self, buffer: &mut [MaybeUninit<u8>], flags: libc::c_int) -> io::Result<usize> {
        // SAFETY: the buffer is valid for writing as many bytes as it is long.
        counted(unsafe { libc::recv(self.0, buffer.as_mut_ptr().cast(), buffer.len(), flags) })
    }

    /// Reads what is there behind the bytes that came `first`: these, and those. An end or an error is not told: it comes
    /// again when it is asked for again.
    pub(super) fn receive_behind<'b>(self, first: &[u8], buffer: &'b mut [MaybeUninit<u8>]) -> &'b mut [u8] {
        let (start, rest) = buffer.split_at_mut(first.len());
        for (place, byte) in start.iter_mut().zip(first) {
            place.write(*byte);
        }
        let count = self.receive(rest, libc::MSG_DONTWAIT).unwrap_or(0);
        initialised(buffer, first.len() + count)
    }

    /// Waits for bytes and reads them, in one system call where it can. `timeout` is in milliseconds; less may be waited.
    ///
    /// # Errors
    /// `WouldBlock` if nothing came, `Interrupted` by a signal.
    pub(super) fn receive_within<'b>(
        self,
        buffer: &'b mut [MaybeUninit<u8>],
        timeout: Option<u32>,
        set: &ReceiveTimeout,
    ) -> io::Result<&'b mut [u8]> {
        let received = match timeout {
            Some(short) if short < SHORT => Err(io::ErrorKind::WouldBlock.into()),
            _ => {
                set.fit(self, timeout)?;
                self.receive(buffer, 0)
            }
        };
        let count = match received {
            // What is left of the time; also if somebody has made the socket one that does not wait.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let left = timeout.map(|all| all - if all < SHORT { 0 } else { all / 2 });
                if left != Some(0) {
                    self.poll(left)?;
                }
                self.receive(buffer, libc::MSG_DONTWAIT)?
            }
            other => other?,
        };
        Ok(initialised(buffer, count))
    }

    fn poll(self, timeout: Option<u32>) -> io::Result<()> {
        let mut asked = libc::pollfd { fd: self.0, events: libc::POLLIN, revents: 0 };
        let timeout = timeout.map_or(-1, |timeout| i32::try_from(timeout).unwrap_or(i32::MAX));
        // SAFETY: it is one structure, and valid.
        if unsafe { libc::poll(&raw mut asked, 1, timeout) } < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    /// `WouldBlock` if there is none.
    pub(crate) fn send_now(self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let flags = libc::MSG_DONTWAIT | NO_SIGNAL;
        if let [only] = slices {
            // SAFETY: the slice is valid for reading.
            return counted(unsafe { libc::send(self.0, only.as_ptr().cast(), only.len(), flags) });
        }
        // SAFETY: a header of zeros is one of nothing, whatever else the system has in it.
        let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
        message.msg_iov = slices.as_ptr().cast_mut().cast();
        message.msg_iovlen = slices.len() as _;
        // SAFETY: an `IoSlice` is an `iovec`; as many as are told are valid for reading, and nothing is written to them.
        counted(unsafe { libc::sendmsg(self.0, &raw const message, flags) })
    }
}

impl ReceiveTimeout {
    /// Sees to it that a system call waits for half of `timeout` or so, but hardly ever sets what costs a call itself: the
    /// time that is left mostly is a little less than before.
    fn fit(&self, socket: Socket, timeout: Option<u32>) -> io::Result<()> {
        let now = self.0.load(Ordering::Relaxed);
        let fits = match timeout {
            None => now == 0,
            Some(timeout) => now != 0 && now <= timeout / 2 && now >= timeout / 16,
        };
        if fits {
            return Ok(());
        }
        let wanted = timeout.map_or(0, |timeout| timeout / 2);
        // Small numbers, whatever types the system has for them.
        let value = libc::timeval { tv_sec: (wanted / 1000) as _, tv_usec: (wanted % 1000 * 1000) as _ };
        let len = size_of::<libc::timeval>() as libc::socklen_t;
        // SAFETY: the value is as long as is said.
        let result = unsafe {
            libc::setsockopt(socket.0, libc::SOL_SOCKET, libc::SO_RCVTIMEO, ptr::from_ref(&value).cast(), len)
        };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        self.0.store(wanted, Ordering::Relaxed);
        Ok(())
    }
}

/// What was written from the start on, as a system call says.
fn initialised(buffer: &mut [MaybeUninit<u8>], count: usize) -> &mut [u8] {
    let received = &mut buffer[..count];
    // SAFETY: whoever calls it has written so many bytes from the start.
    unsafe { &mut *(ptr::from_mut(received) as *mut [u8]) }
}
