//! The border: every call between JavaScript and the connections of one environment.

mod traffic;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use itoden_core::handshake::{HeadLimits, server};
use itoden_core::{CloseCode, Config, Connection, MaskKeys};
use itoden_net::{ConnectOptions, ThreadMaskKeys, now};
use napi::Env;
use napi::bindgen_prelude::{Buffer, Function, Int32Array, Int32ArraySlice, Reference, Uint8Array, Uint8ArraySlice};
use napi_derive::napi;

use crate::batch::{Batch, HEADER};
use crate::config::ConnectionConfig;
use crate::deflate::DeflateAgreement;
use crate::error::{self, Result};
use crate::handshake::{ClientUpgrade, UpgradeRequest, headers, preview, response_head};
use crate::in_loop::Plane;
use crate::in_loop::socket::Socket;
use crate::inbox::Inbox;
use crate::native::{Answer, Arrival, Letter, Native, Stop, client, listener};
use crate::order::{Order, OrderKind, kind};
use crate::shortcut::{self, Shortcuts};
use crate::stream::{FixedKey, Stream, SuppliedKeys};

/// All connections and listeners of one JavaScript environment, by number.
#[napi]
pub struct Hub {
    inbox: Arc<Inbox>,
    slots: Vec<Slot>,
    /// Records of connections over streams, which come about on this thread.
    local: Batch,
    /// Large payloads whose records JavaScript has, in order.
    large: VecDeque<Vec<u8>>,
    /// Connections of this thread with orders that were not settled yet.
    touched: Vec<u32>,
    /// Where the event loop serves sockets.
    plane: Option<Rc<Plane>>,
    /// Where frames that are longer than a slab are read, piece by piece.
    long: Vec<u8>,
}

/// Payloads of at least so many bytes are offered to the socket before they are copied.
const LARGE: usize = 16 << 10;

enum Slot {
    Free,
    Stream(Box<Stream>),
    Native(Native),
    Looped(Box<Socket>),
    Pending(Box<Arrival>),
    Listener(Option<Stop>),
}

/// Where a listener listens.
#[napi(object)]
pub struct Listening {
    /// Its number.
    pub id: u32,
    /// The address.
    pub address: String,
    /// `IPv4` or `IPv6`.
    pub family: String,
    /// The port.
    pub port: u16,
}

/// A connection over a stream whose handshake is done.
#[napi(object)]
pub struct OpenedStream {
    /// Its number.
    pub id: u32,
    /// The subprotocol that was agreed on.
    pub subprotocol: Option<String>,
    /// What the server is to write before anything else.
    pub response: Option<Buffer>,
    /// The compression that was agreed on.
    pub deflate: Option<DeflateAgreement>,
}

#[napi]
impl Hub {
    /// `wake` is called when records wait for `receive`; `serve` when sockets in the event loop wait for `Hub.serve`. Without
    /// it, or where the event loop is not one that can serve sockets, all sockets are served by threads. `uv` is the version of
    /// libuv that the host says it runs on; where another is found, threads serve too.
    #[napi(constructor)]
    pub fn new(
        env: Env,
        wake: Function<'_, (), ()>,
        serve: Option<Function<'_, (), ()>>,
        uv: Option<String>,
    ) -> napi::Result<Self> {
        let plane = match (serve, uv) {
            (Some(serve), Some(uv)) => Plane::start(&env, &serve, &uv)?,
            _ => None,
        };
        let wake = wake.build_threadsafe_function::<()>().weak::<true>().build()?;
        let inbox = Inbox::new(wake, plane.is_some());
        // A worker that is terminated takes its connections with it.
        env.add_env_cleanup_hook(inbox.clone(), |inbox| inbox.close())?;
        let (slots, local, large) = (Vec::new(), Batch::default(), VecDeque::new());
        Ok(Self { inbox, slots, local, large, touched: Vec::new(), plane, long: Vec::new() })
    }

    /// Whether open connections are served in the event loop.
    #[napi(getter)]
    pub fn in_loop(&self) -> bool {
        self.plane.is_some()
    }

    /// Whether sockets of this environment keep its event loop alive.
    #[napi]
    pub fn set_alive(&self, env: Env, alive: bool) -> napi::Result<()> {
        // Clones, which the deprecation points to, have no say in what keeps the loop alive.
        #[expect(deprecated)]
        let result = self.inbox.with_wake(|wake| if alive { wake.refer(&env) } else { wake.unref(&env) });
        result.unwrap_or(Ok(()))
    }

    /// Moves records of native sockets into the table and their payloads into the slab, from `from` on. Whether sockets have
    /// come into the event loop, so that `serve` is to be called.
    #[napi]
    pub fn receive(
        &mut self,
        mut table: Int32ArraySlice<'_>,
        mut slab: Uint8ArraySlice<'_>,
        from: u32,
    ) -> Result<bool> {
        // SAFETY: as in `take`.
        let (table, slab) = unsafe { (table.as_mut(), slab.as_mut()) };
        check(table)?;
        let (arrivals, held) = self.inbox.take(table, slab, from as usize, &mut self.large);
        for (id, arrival) in arrivals {
            self.put(id, Slot::Pending(Box::new(arrival)));
        }
        for id in held {
            if let Some(Slot::Native(native)) = self.slots.get(id as usize) {
                native.send(Letter::Room);
            }
        }
        for handed in self.inbox.take_handed() {
            self.install(handed);
        }
        Ok(self.plane.as_ref().is_some_and(|plane| plane.is_ready()))
    }

    /// The calls for messages over streams. What is lent must not be detached, and not be of use for anything else during
    /// calls.
    #[napi]
    pub fn shortcuts<'env>(
        &self,
        env: &'env Env,
        this: Reference<Hub>,
        table: Int32Array,
        slab: Uint8Array,
        orders: Int32Array,
        payloads: Uint8Array,
    ) -> napi::Result<Shortcuts<'env>> {
        shortcut::make(env, this, table, slab, orders, payloads)
    }

    /// Moves records of streams that did not fit into the table before.
    #[napi]
    pub fn take(&mut self, mut table: Int32ArraySlice<'_>, mut slab: Uint8ArraySlice<'_>, from: u32) -> Result<()> {
        // SAFETY: JavaScript does not run during this call, no other thread knows these arrays, and lib/border.ts made them
        // apart from each other.
        let (table, slab) = unsafe { (table.as_mut(), slab.as_mut()) };
        check(table)?;
        self.local.move_into(table, slab, from as usize, &mut self.large);
        Ok(())
    }

    /// The payload of the next record that has one of its own.
    #[napi]
    pub fn take_large(&mut self) -> Option<Buffer> {
        self.large.pop_front().map(Buffer::from)
    }

    /// A stream has ended.
    #[napi]
    pub fn eof(&mut self, id: u32, table: Int32ArraySlice<'_>, slab: Uint8ArraySlice<'_>, from: u32) -> Result<()> {
        self.with_stream(id, |stream, batch| stream.eof(id, batch));
        self.take(table, slab, from)
    }

    /// The time of a stream's timer has come.
    #[napi]
    pub fn timeout(&mut self, id: u32, table: Int32ArraySlice<'_>, slab: Uint8ArraySlice<'_>, from: u32) -> Result<()> {
        self.with_stream(id, |stream, batch| stream.timeout(id, batch));
        self.take(table, slab, from)
    }

    /// Does what the first `count` orders ask. Their payloads lie in `payloads`; of a single order with a large payload,
    /// it is all of `payloads`. Streams are settled by `flush`.
    #[napi]
    pub fn submit(&mut self, orders: &[i32], count: u32, payloads: &[u8]) -> Result<()> {
        let orders = orders.get(..4 * count as usize).ok_or_else(|| error::misuse("more orders than the table has"))?;
        // The payloads of native sockets go to other threads: copied once, for all of them together.
        let mut shared = None;
        let end = orders.chunks_exact(4).map(|order| order[2] as usize + order[3] as usize).max().unwrap_or(0);
        let payloads = payloads.get(..end).ok_or_else(|| error::misuse("an order beyond its payloads"))?;
        for order in orders.chunks_exact(4) {
            let (id, bits) = (order[0] as u32, order[1]);
            let (offset, length) = (order[2] as usize, order[3] as usize);
            let kind = kind(bits).ok_or_else(|| error::misuse("an order of an unknown kind"))?;
            let range = offset..offset.saturating_add(length);
            let lent = payloads.get(range.clone()).ok_or_else(|| error::misuse("an order beyond its payloads"))?;
            if matches!(kind, OrderKind::Release) {
                self.release(id);
                continue;
            }
            match self.slots.get_mut(id as usize) {
                Some(Slot::Stream(stream)) => {
                    if !stream.touched {
                        stream.touched = true;
                        self.touched.push(id);
                    }
                    stream.perform(id, &Order { kind, bits, payload: lent }, &mut self.local);
                }
                Some(Slot::Looped(socket)) => {
                    if !socket.touched {
                        socket.touched = true;
                        self.touched.push(id);
                    }
                    let order = Order { kind, bits, payload: lent };
                    if length >= LARGE {
                        socket.perform_large(id, order, &mut self.local);
                    } else {
                        socket.perform(id, &order, &mut self.local);
                    }
                }
                Some(Slot::Native(native)) => {
                    let payload = if length == 0 {
                        Bytes::new()
                    } else {
                        shared.get_or_insert_with(|| Bytes::copy_from_slice(payloads)).slice(range)
                    };
                    native.send(Letter::Order(Order { kind, bits, payload }));
                }
                // A connection that was released, or is not accepted yet, has no orders.
                _ => {}
            }
        }
        Ok(())
    }

    /// Milliseconds that the last answer to a ping of the keepalive took; nothing before there is one.
    #[napi]
    pub fn latency(&self, id: u32) -> Option<f64> {
        let latency = match self.slots.get(id as usize) {
            Some(Slot::Stream(stream)) => stream.latency(),
            Some(Slot::Native(native)) => native.latency(),
            Some(Slot::Looped(socket)) => socket.latency(),
            _ => None,
        };
        latency.map(|latency| latency.as_secs_f64() * 1000.0)
    }

    /// How many payload bytes a native socket has written or given up, of all that it was asked to send.
    #[napi]
    pub fn settled(&self, id: u32) -> f64 {
        match self.slots.get(id as usize) {
            Some(Slot::Native(native)) => native.settled() as f64,
            Some(Slot::Looped(socket)) => socket.settled() as f64,
            _ => 0.0,
        }
    }
}

/// Opening and closing.
#[napi]
impl Hub {
    /// Starts to connect to a `ws:` URL; records tell how it goes on.
    #[napi]
    pub fn connect(
        &mut self,
        url: String,
        subprotocols: Vec<String>,
        raw_headers: Vec<String>,
        handshake_timeout: Option<f64>,
        config: &ConnectionConfig,
    ) -> Result<u32> {
        let options = ConnectOptions {
            subprotocols,
            headers: headers(raw_headers),
            head_limits: HeadLimits {
                open_timeout: handshake_timeout.map(|limit| Duration::from_millis(limit.clamp(0.0, 1e12) as u64)),
                ..HeadLimits::default()
            },
            config: config.config.clone(),
        };
        let id = self.inbox.number();
        match client::start(&self.inbox, id, url, options) {
            Ok(native) => {
                self.put(id, Slot::Native(native));
                Ok(id)
            }
            Err(error) => {
                self.inbox.free(id);
                Err(error::system(&error))
            }
        }
    }

    /// Binds a port of an address, or of all of them, and starts to listen.
    #[napi]
    pub fn listen(&mut self, host: Option<String>, port: u16, backlog: i32) -> Result<Listening> {
        let parse = |host: String| host.parse::<IpAddr>().map_err(|_| error::misuse("a host that is not an address"));
        let host = host.map(parse).transpose()?;
        let id = self.inbox.number();
        match listener::start(&self.inbox, id, host, port, backlog) {
            Ok((address, stop)) => {
                self.put(id, Slot::Listener(Some(stop)));
                let family = listener::family(address).to_owned();
                Ok(Listening { id, address: address.ip().to_string(), family, port: address.port() })
            }
            Err(error) => {
                self.inbox.free(id);
                Err(error::system(&error))
            }
        }
    }

    /// Stops to listen; a record tells when the port is free.
    #[napi]
    pub fn stop_listening(&mut self, id: u32) {
        if let Some(Slot::Listener(stop)) = self.slots.get_mut(id as usize) {
            *stop = None;
        }
    }

    /// The lines of the response to a request that waits, with this subprotocol.
    #[napi]
    pub fn preview(&self, id: u32, subprotocol: Option<String>, config: &ConnectionConfig) -> Result<Vec<String>> {
        match self.slots.get(id as usize) {
            Some(Slot::Pending(arrival)) => preview(&arrival.upgrade, subprotocol.as_deref(), config),
            _ => Err(error::misuse("no request waits under this number")),
        }
    }

    /// Accepts a request that waits: the compression that is agreed on.
    #[napi]
    pub fn accept(
        &mut self,
        id: u32,
        subprotocol: Option<String>,
        raw_headers: Vec<String>,
        config: &ConnectionConfig,
    ) -> Result<Option<DeflateAgreement>> {
        let headers = headers(raw_headers);
        let config: Arc<Config> = config.config.clone();
        let arrival = self.pending(id)?;
        // What can't be sent is the caller's error, to be thrown here and not where the response is written.
        let checked = arrival.upgrade.clone().accept(subprotocol.as_deref(), &headers, config.clone());
        let checked = checked.map_err(|error| error::handshake(&error))?;
        let deflate = checked.connection.deflate().map(DeflateAgreement::from);
        let (native, answer) = listener::accept(subprotocol, headers, config);
        if let Slot::Pending(arrival) = std::mem::replace(&mut self.slots[id as usize], Slot::Native(native)) {
            // A task that has ended belongs to an environment that ends.
            let _ = arrival.answer.send(answer);
        }
        Ok(deflate)
    }

    /// Refuses a request that waits.
    #[napi]
    pub fn refuse(&mut self, id: u32, status: u16, raw_headers: Vec<String>, body: String) -> Result<()> {
        let headers = headers(raw_headers);
        server::refuse(status, &headers, &body).map_err(|error| error::handshake(&error))?;
        self.pending(id)?;
        if let Slot::Pending(arrival) = std::mem::replace(&mut self.slots[id as usize], Slot::Free) {
            let _ = arrival.answer.send(Answer::Refuse(status, headers, body));
        }
        self.inbox.free(id);
        Ok(())
    }

    /// Accepts a request that Node's `http` has parsed.
    #[napi]
    pub fn accept_stream(
        &mut self,
        request: &UpgradeRequest,
        subprotocol: Option<String>,
        raw_headers: Vec<String>,
        config: &ConnectionConfig,
    ) -> Result<OpenedStream> {
        let upgrade = request.valid()?.clone();
        let accepted = upgrade.accept(subprotocol.as_deref(), &headers(raw_headers), config.config.clone());
        let accepted = accepted.map_err(|error| error::handshake(&error))?;
        let deflate = accepted.connection.deflate().map(DeflateAgreement::from);
        let id = self.add_stream(accepted.connection, None);
        Ok(OpenedStream { id, subprotocol, response: Some(accepted.response.to_bytes().into()), deflate })
    }

    /// Checks a response that Node's `http` has parsed, and opens the connection. Its masking keys are those of
    /// `supplyKeys` if `supplied`.
    #[napi]
    pub fn open_stream(
        &mut self,
        request: &mut ClientUpgrade,
        status: u16,
        minor_version: u8,
        raw_headers: Vec<String>,
        config: &ConnectionConfig,
        supplied: Option<bool>,
    ) -> Result<OpenedStream> {
        let handshake = request.handshake.take().ok_or_else(|| error::misuse("this handshake is done"))?;
        let response = response_head(status, minor_version, raw_headers);
        let keys = (supplied == Some(true)).then(SuppliedKeys::default);
        let mask_keys: Box<dyn MaskKeys + Send> = match &keys {
            Some(keys) => Box::new(keys.clone()),
            None => Box::new(ThreadMaskKeys),
        };
        let connection = handshake.open(&response, config.config.clone(), mask_keys);
        let connection = connection.map_err(|error| error::handshake(&error))?;
        let subprotocol = connection.subprotocol().map(str::to_owned);
        let deflate = connection.deflate().map(DeflateAgreement::from);
        Ok(OpenedStream { id: self.add_stream(connection, keys), subprotocol, response: None, deflate })
    }

    /// Gives a connection masking keys of four bytes each, for its next frames; how many are there now. A frame for which
    /// there is none has a random one.
    #[napi]
    pub fn supply_keys(&mut self, id: u32, keys: &[u8]) -> u32 {
        match self.slots.get(id as usize) {
            Some(Slot::Stream(stream)) => stream.supply_keys(keys),
            _ => 0,
        }
    }

    /// One end of a connection without a handshake. A client masks with the four bytes of `masking_key`; the other end is
    /// the server.
    #[napi]
    pub fn add_session(&mut self, masking_key: Option<&[u8]>, config: &ConnectionConfig) -> Result<u32> {
        let config = config.config.clone();
        let connection = match masking_key {
            None => Connection::server(config),
            Some(key) => {
                let key = key.try_into().map_err(|_| error::misuse("a masking key has 4 bytes"))?;
                Connection::client(config, Box::new(FixedKey(key)))
            }
        };
        Ok(self.add_stream(connection, None))
    }
}

impl Hub {
    fn put(&mut self, id: u32, slot: Slot) {
        let index = id as usize;
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || Slot::Free);
        }
        self.slots[index] = slot;
    }

    fn add_stream(&mut self, connection: Connection, keys: Option<SuppliedKeys>) -> u32 {
        let id = self.inbox.number();
        self.put(id, Slot::Stream(Box::new(Stream::new(connection, keys))));
        id
    }

    fn release(&mut self, id: u32) {
        let slot = self.slots.get_mut(id as usize);
        if let Some(slot) = slot.filter(|slot| !matches!(slot, Slot::Free)) {
            *slot = Slot::Free;
            self.inbox.free(id);
        }
    }

    fn pending(&mut self, id: u32) -> Result<&mut Arrival> {
        match self.slots.get_mut(id as usize) {
            Some(Slot::Pending(arrival)) => Ok(arrival),
            _ => Err(error::misuse("no request waits under this number")),
        }
    }

    fn with_stream(&mut self, id: u32, run: impl FnOnce(&mut Stream, &mut Batch)) {
        if let Some(Slot::Stream(stream)) = self.slots.get_mut(id as usize) {
            run(stream, &mut self.local);
        }
    }
}

fn check(table: &[i32]) -> Result<()> {
    if table.len() > HEADER { Ok(()) } else { Err(error::misuse("a table without room for a record")) }
}

/// Throws if a Close frame can't have this code and reason.
#[napi]
pub fn check_close(code: Option<u16>, reason: String) -> Result<()> {
    // A connection that nobody sees says what any connection would say.
    let mut connection = Connection::server(Arc::default());
    connection.close(now(), code.map(CloseCode::new), &reason).map_err(|error| error::send(&error))
}

/// Throws if a ping or pong can't have this payload.
#[napi]
pub fn check_ping(payload: &[u8]) -> Result<()> {
    Connection::server(Arc::default()).ping(payload).map_err(|error| error::send(&error))
}
