//! The calls that every message takes, one in and one out. They do what methods of [`Hub`] could do, without
//! what a generated method costs: it looks up its object, and four arrays, at each call, and notes that it borrows them, which
//! takes several times as long as a small message. Here the arrays are lent once.

use std::cell::RefCell;
use std::rc::Rc;

use napi::bindgen_prelude::{FnArgs, Function, Int32Array, Reference, Uint8Array, Uint8ArraySlice};
use napi::{Env, Error, Result};
use napi_derive::napi;

use crate::hub::Hub;

/// The calls. Each takes the place in the slab from which on it has room.
#[napi(object, object_from_js = false)]
pub struct Shortcuts<'env> {
    /// A chunk came over a stream. It is decoded in place, and what comes of it is moved as by `Hub.take`.
    #[napi(ts_type = "(id: number, chunk: Uint8Array, from: number) => void")]
    pub feed: Function<'env, FnArgs<(u32, Uint8ArraySlice<'env>, u32)>, ()>,
    /// Does what the first `count` orders ask, as `Hub.submit`, and moves what comes of it over streams, as `Hub.take`.
    #[napi(ts_type = "(count: number, from: number) => void")]
    pub flush: Function<'env, FnArgs<(u32, u32)>, ()>,
    /// Serves sockets of the event loop that are ready: they are read straight into the slab, so that payloads are told to lie
    /// in a chunk, which is the slab. Whether there are more.
    #[napi(ts_type = "(from: number) => boolean")]
    pub serve: Function<'env, u32, bool>,
    /// Lends another slab.
    #[napi(ts_type = "(slab: Uint8Array) => void")]
    pub lend: Function<'env, Uint8Array, ()>,
}

/// What is lent, for as long as the functions live. JavaScript must not detach any of it.
struct Lent {
    hub: Reference<Hub>,
    table: Int32Array,
    slab: Uint8Array,
    orders: Int32Array,
    payloads: Uint8Array,
}

impl Lent {
    fn feed(&mut self, id: u32, mut chunk: Uint8ArraySlice<'_>, from: u32) -> crate::error::Result<()> {
        // SAFETY: JavaScript does not run during this call and detaches none of these, no other thread knows them, and
        // lib/border.ts made them apart from each other. A chunk that was read belongs to whoever consumes it.
        let (chunk, table, slab) = unsafe { (chunk.as_mut(), self.table.as_mut(), self.slab.as_mut()) };
        self.hub.decode(id, chunk, table, slab, from as usize)
    }

    fn flush(&mut self, count: u32, from: u32) -> crate::error::Result<()> {
        // SAFETY: as in `feed`.
        let (table, slab) = unsafe { (self.table.as_mut(), self.slab.as_mut()) };
        self.hub.encode(&self.orders, count, &self.payloads, table, slab, from as usize)
    }

    fn serve(&mut self, from: u32) -> crate::error::Result<bool> {
        // SAFETY: as in `feed`.
        let (table, slab) = unsafe { (self.table.as_mut(), self.slab.as_mut()) };
        self.hub.serve(table, slab, from as usize)
    }
}

/// Makes the calls for a hub.
pub fn make<'env>(
    env: &'env Env,
    hub: Reference<Hub>,
    table: Int32Array,
    slab: Uint8Array,
    orders: Int32Array,
    payloads: Uint8Array,
) -> Result<Shortcuts<'env>> {
    let lent = Rc::new(RefCell::new(Lent { hub, table, slab, orders, payloads }));
    let [of_feed, of_flush, of_serve] = [(); 3].map(|()| Rc::clone(&lent));
    let feed = env.create_function_from_closure("feed", move |call| {
        of_feed.borrow_mut().feed(call.get(0)?, call.get(1)?, call.get(2)?).map_err(plain)
    })?;
    let flush = env.create_function_from_closure("flush", move |call| {
        of_flush.borrow_mut().flush(call.get(0)?, call.get(1)?).map_err(plain)
    })?;
    let serve = env
        .create_function_from_closure("serve", move |call| of_serve.borrow_mut().serve(call.get(0)?).map_err(plain))?;
    let lend = env.create_function_from_closure("lend", move |call| {
        lent.borrow_mut().slab = call.get(0)?;
        Ok(())
    })?;
    Ok(Shortcuts { feed, flush, serve, lend })
}

fn plain(error: Error<String>) -> Error {
    Error::from_reason(error.reason.clone())
}
