//! Node's event loop: the few functions of libuv that the in-loop driver needs, behind safe handles.
//!
//! The names are looked up when an environment starts, since other hosts of Node-API have no libuv, or one that only
//! pretends. Everything here happens on the thread of one JavaScript environment: no handle can be sent to another.
//!
//! A handle is given to libuv, closed when it is dropped, and freed by libuv's answer to that. When the environment ends,
//! while handles are open, all are closed first and the end waits for the answers: a loop with open handles can't end.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{NonNull, null_mut, slice_from_raw_parts_mut};
use std::rc::Rc;

use napi::bindgen_prelude::{Function, JsValue};
use napi::{Env, Status, sys};

/// The descriptor can be read, or has ended.
pub const READABLE: u8 = 1;
/// The descriptor can be written.
pub const WRITABLE: u8 = 2;

/// libuv 1 keeps its binary interface; what is used here is there since 1.19, older than any Node that loads this.
const LEAST_MINOR: c_uint = 19;

/// `uv_handle_type`: its order is part of libuv's binary interface.
#[derive(Clone, Copy)]
#[repr(C)]
enum HandleType {
    Check = 2,
    Poll = 8,
    Timer = 13,
}

type Raw = *mut c_void;
type OnPoll = extern "C" fn(Raw, c_int, c_int);
type OnOther = extern "C" fn(Raw);

/// Declares the functions, and how to look them up.
macro_rules! functions {
    ($($name:ident: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        #[derive(Clone, Copy)]
        #[allow(clippy::struct_field_names, reason = "these are libuv's names")]
        struct Functions {
            $($name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Functions {
            /// `None` where one is missing.
            fn find() -> Option<Self> {
                Some(Self {
                    $($name: {
                        let found = look_up(concat!(stringify!($name), "\0"))?;
                        // SAFETY: libuv has declared this name so since version 1.19; `Functions::is` asks for that before any other is called.
                        unsafe { std::mem::transmute::<NonNull<c_void>, unsafe extern "C" fn($($argument),*) $(-> $result)?>(found) }
                    },)*
                })
            }
        }
    };
}

impl Functions {
    /// Whether this libuv has that version, and one whose binary interface is known here.
    fn is(&self, version: &str) -> bool {
        // SAFETY: both are asked for what is built into them; the string is static and ends with a zero.
        let (number, text) = unsafe { ((self.uv_version)(), CStr::from_ptr((self.uv_version_string)())) };
        let (major, minor) = (number >> 16, (number >> 8) & 0xff);
        major == 1 && minor >= LEAST_MINOR && text.to_bytes() == version.as_bytes()
    }
}

functions! {
    uv_version: fn() -> c_uint;
    uv_version_string: fn() -> *const c_char;
    uv_backend_fd: fn(Raw) -> c_int;
    uv_handle_size: fn(HandleType) -> usize;
    uv_unref: fn(Raw);
    uv_close: fn(Raw, OnOther);
    uv_poll_init: fn(Raw, Raw, c_int) -> c_int;
    uv_poll_start: fn(Raw, c_int, OnPoll) -> c_int;
    uv_poll_stop: fn(Raw) -> c_int;
    uv_check_init: fn(Raw, Raw) -> c_int;
    uv_check_start: fn(Raw, OnOther) -> c_int;
    uv_timer_init: fn(Raw, Raw) -> c_int;
    uv_timer_start: fn(Raw, OnOther, u64, u64) -> c_int;
    uv_timer_stop: fn(Raw) -> c_int;
}

#[cfg(unix)]
fn look_up(name: &'static str) -> Option<NonNull<c_void>> {
    debug_assert!(name.ends_with('\0'), "C wants a zero behind a name");
    // SAFETY: the name ends with a zero, and looking one up changes nothing.
    NonNull::new(unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr().cast()) })
}

/// Sockets of Windows are no descriptors, and are served by threads.
#[cfg(not(unix))]
fn look_up(_name: &'static str) -> Option<NonNull<c_void>> {
    None
}

#[cfg(unix)]
fn descriptor(socket: &TcpStream) -> c_int {
    std::os::fd::AsRawFd::as_raw_fd(socket)
}

#[cfg(not(unix))]
fn descriptor(_socket: &TcpStream) -> c_int {
    -1
}

/// The event loop of one environment.
pub struct Loop {
    functions: Functions,
    raw: Raw,
    /// Handles that libuv has and that are not being closed.
    open: RefCell<HashSet<Raw>>,
    /// How many are being closed.
    closing: Cell<usize>,
    /// Set once the environment ends, until all is closed.
    hook: Cell<sys::napi_async_cleanup_hook_handle>,
}

impl Loop {
    /// The loop of this environment; `None` if the host has no libuv, or the one that is found by its name is not `version`,
    /// which the host says that it runs on: then it is somebody else's, or pretends. Nothing is watched to find that out.
    pub fn of(env: &Env, version: &str) -> Option<Rc<Self>> {
        let functions = Functions::find()?;
        if !functions.is(version) {
            return None;
        }
        let raw = env.get_uv_event_loop().ok()?.cast();
        // SAFETY: the loop belongs to this libuv, as far as can be known, and it is asked for a number.
        if unsafe { (functions.uv_backend_fd)(raw) } < 0 {
            return None; // nothing that can be waited for
        }
        let (open, closing, hook) = (RefCell::default(), Cell::new(0), Cell::new(null_mut()));
        let this = Rc::new(Self { functions, raw, open, closing, hook });
        // It is given back when the environment ends.
        let data = Rc::into_raw(this.clone()).cast_mut().cast();
        // SAFETY: the environment is the one that this call came from.
        let status = unsafe { sys::napi_add_async_cleanup_hook(env.raw(), Some(on_end), data, null_mut()) };
        if status != sys::Status::napi_ok {
            // SAFETY: nobody else has got it.
            drop(unsafe { Rc::from_raw(data.cast::<Self>().cast_const()) });
            return None;
        }
        Some(this)
    }

    fn close(&self, handle: Raw) {
        if self.open.borrow_mut().remove(&handle) {
            self.closing.set(self.closing.get() + 1);
            // SAFETY: libuv has it, and it is closed once: it was among the open ones.
            unsafe { (self.functions.uv_close)(handle, on_closed) };
        }
    }

    fn end_if_all_are_closed(&self) {
        let hook = self.hook.get();
        if self.closing.get() == 0 && !hook.is_null() {
            self.hook.set(null_mut());
            // SAFETY: the hook is the one whose call is answered with this, once.
            unsafe { sys::napi_remove_async_cleanup_hook(hook) };
        }
    }
}

/// What the data of a handle is, from its making until libuv has closed it.
struct Context {
    /// Where the handle lies, in words, so that it is aligned.
    memory: *mut [u128],
    uv: Rc<Loop>,
    /// What to do: with the events of a poll, or 0. `None` of a poll stands for an error, which has stopped it.
    run: Box<dyn Fn(Option<u8>)>,
}

/// A handle of libuv's that does not keep the loop alive.
struct Handle {
    raw: Raw,
    uv: Rc<Loop>,
}

impl Handle {
    fn new(
        uv: &Rc<Loop>,
        kind: HandleType,
        init: impl FnOnce(&Functions, Raw) -> c_int,
        run: Box<dyn Fn(Option<u8>)>,
    ) -> Option<Self> {
        let functions = &uv.functions;
        // SAFETY: it asks for a number.
        let size = unsafe { (functions.uv_handle_size)(kind) };
        let memory = Box::into_raw(vec![0_u128; size.div_ceil(size_of::<u128>())].into_boxed_slice());
        let raw: Raw = memory.cast();
        if init(functions, raw) != 0 {
            // SAFETY: it was made above, and libuv did not take it.
            drop(unsafe { Box::from_raw(memory) });
            return None;
        }
        let context = Box::new(Context { memory, uv: uv.clone(), run });
        // SAFETY: libuv has initialised it. The first field of any handle is its data, which belongs to whoever made it.
        unsafe {
            raw.cast::<*mut Context>().write(Box::into_raw(context));
            (functions.uv_unref)(raw);
        }
        uv.open.borrow_mut().insert(raw);
        Some(Self { raw, uv: uv.clone() })
    }

    /// Calls libuv, unless the environment has ended and taken the handle with it.
    fn with(&self, call: impl FnOnce(&Functions, Raw) -> c_int) -> bool {
        self.uv.open.borrow().contains(&self.raw) && call(&self.uv.functions, self.raw) == 0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.uv.close(self.raw);
    }
}

/// Tells when a socket can be read or written. To be dropped before the socket.
pub struct Poll(Handle);

impl Poll {
    /// `run` gets [`READABLE`] and [`WRITABLE`], or `None` once the socket has failed: then nothing more is told until the
    /// next [`watch`](Self::watch). `None` if libuv can't watch it.
    pub fn new(uv: &Rc<Loop>, socket: &TcpStream, run: impl Fn(Option<u8>) + 'static) -> Option<Self> {
        let descriptor = descriptor(socket);
        // SAFETY: the memory has the size of such a handle, and the loop is that of this thread.
        let init = |functions: &Functions, raw| unsafe { (functions.uv_poll_init)(uv.raw, raw, descriptor) };
        Handle::new(uv, HandleType::Poll, init, Box::new(run)).map(Self)
    }

    /// What to tell from now on; 0 for nothing.
    pub fn watch(&self, events: u8) -> bool {
        // SAFETY: the handle is an open poll.
        self.0.with(|functions, raw| unsafe {
            if events == 0 {
                (functions.uv_poll_stop)(raw)
            } else {
                (functions.uv_poll_start)(raw, events.into(), on_poll)
            }
        })
    }
}

/// Runs something behind each round of reading of the loop, for as long as it lives.
pub struct Check(#[expect(dead_code, reason = "it is held")] Handle);

impl Check {
    /// Starts.
    pub fn new(uv: &Rc<Loop>, run: impl Fn() + 'static) -> Option<Self> {
        // SAFETY: the memory has the size of such a handle, and the loop is that of this thread.
        let init = |functions: &Functions, raw| unsafe { (functions.uv_check_init)(uv.raw, raw) };
        let handle = Handle::new(uv, HandleType::Check, init, Box::new(move |_| run()))?;
        // SAFETY: the handle is an open check.
        handle.with(|functions, raw| unsafe { (functions.uv_check_start)(raw, on_other) }).then_some(Self(handle))
    }
}

/// Runs something once, later.
pub struct Timer(Handle);

impl Timer {
    /// Not started.
    pub fn new(uv: &Rc<Loop>, run: impl Fn() + 'static) -> Option<Self> {
        // SAFETY: the memory has the size of such a handle, and the loop is that of this thread.
        let init = |functions: &Functions, raw| unsafe { (functions.uv_timer_init)(uv.raw, raw) };
        Handle::new(uv, HandleType::Timer, init, Box::new(move |_| run())).map(Self)
    }

    /// Runs in so many milliseconds, and not when it was to run before; `None` for never.
    pub fn set(&self, milliseconds: Option<u64>) {
        // SAFETY: the handle is an open timer.
        self.0.with(|functions, raw| unsafe {
            match milliseconds {
                Some(milliseconds) => (functions.uv_timer_start)(raw, on_other, milliseconds, 0),
                None => (functions.uv_timer_stop)(raw),
            }
        });
    }
}

/// Does what a handle is for. A panic has been printed by then, and goes no further: C can't be unwound.
fn run(handle: Raw, events: Option<u8>) {
    // SAFETY: the data of a handle is its context until libuv has closed it, and of one that is being closed libuv calls
    // nothing but `on_closed`.
    let context = unsafe { &**handle.cast::<*const Context>() };
    let _ = catch_unwind(AssertUnwindSafe(|| (context.run)(events)));
}

extern "C" fn on_poll(handle: Raw, status: c_int, events: c_int) {
    run(handle, (status == 0).then_some(events as u8));
}

extern "C" fn on_other(handle: Raw) {
    run(handle, Some(0));
}

extern "C" fn on_closed(handle: Raw) {
    // SAFETY: as in `run`; libuv is done with the handle, so context and memory are no one else's.
    let context = unsafe { Box::from_raw(*handle.cast::<*mut Context>()) };
    // SAFETY: it was made by `Handle::new`.
    drop(unsafe { Box::from_raw(slice_from_raw_parts_mut(context.memory.cast::<u128>(), context.memory.len())) });
    context.uv.closing.set(context.uv.closing.get() - 1);
    context.uv.end_if_all_are_closed();
}

/// The environment ends.
unsafe extern "C" fn on_end(hook: sys::napi_async_cleanup_hook_handle, data: *mut c_void) {
    // SAFETY: it was given away for this call, which comes once.
    let uv = unsafe { Rc::from_raw(data.cast::<Loop>().cast_const()) };
    uv.hook.set(hook);
    let open: Vec<Raw> = uv.open.borrow().iter().copied().collect();
    for handle in open {
        uv.close(handle);
    }
    uv.end_if_all_are_closed();
}

/// A function of JavaScript that the event loop calls.
pub struct Callback {
    env: sys::napi_env,
    /// Never given back: the environment frees its references when it ends, and only then this is dropped.
    function: sys::napi_ref,
}

impl Callback {
    /// Keeps the function for as long as the environment lives.
    pub fn new(env: &Env, function: &Function<'_, (), ()>) -> napi::Result<Self> {
        let mut reference = null_mut();
        // SAFETY: both come from the call that this is part of.
        let status = unsafe { sys::napi_create_reference(env.raw(), function.raw(), 1, &raw mut reference) };
        match Status::from(status) {
            Status::Ok => Ok(Self { env: env.raw(), function: reference }),
            status => Err(napi::Error::new(status, "the function can't be kept")),
        }
    }

    /// Calls it as an event, with what was put off until the next tick behind it. What it throws is an uncaught exception. In
    /// an environment that is about to end nothing is called.
    pub fn call(&self) {
        let env = self.env;
        let (mut scope, mut function, mut global, mut thrown) = (null_mut(), null_mut(), null_mut(), null_mut());
        // SAFETY: this runs on the thread of the environment, outside JavaScript, and before the environment has ended: the
        // handles that call it are closed by then. Each result is used only if its call has succeeded.
        unsafe {
            if sys::napi_open_handle_scope(env, &raw mut scope) != sys::Status::napi_ok {
                return;
            }
            let found = sys::napi_get_reference_value(env, self.function, &raw mut function) == sys::Status::napi_ok
                && sys::napi_get_global(env, &raw mut global) == sys::Status::napi_ok;
            if found {
                let none = std::ptr::null();
                let status = sys::napi_make_callback(env, null_mut(), global, function, 0, none, null_mut());
                if status == sys::Status::napi_pending_exception
                    && sys::napi_get_and_clear_last_exception(env, &raw mut thrown) == sys::Status::napi_ok
                {
                    sys::napi_fatal_exception(env, thrown);
                }
            }
            sys::napi_close_handle_scope(env, scope);
        }
    }
}
