// The platform's side for tests and benchmarks: starts the real shim with real sockets and speaks both protocols to it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';

/** Where `bundle.sh` has put the shim: what is tested is what is shipped. */
export const SHIM = path.join(process.env.DARTER_SHIM ?? fail('DARTER_SHIM is not set: run the tests by test/run.sh'), 'shim', 'main.cjs');
export const TYPE = { REQUEST: 1, DATA: 2, END: 3, RESET: 4, WINDOW: 5, RESPONSE: 6, GOAWAY: 7 };
/** As in runtime.toml, with the heap of the default memory limit. */
export const FLAGS = ['--max-semi-space-size=16', '--disable-warning=ExperimentalWarning'];
let serial = 0;

function fail(why) {
  throw new Error(why);
}

export function frame(type, stream, payload = Buffer.alloc(0)) {
  const out = Buffer.alloc(9 + payload.length);
  out.writeUInt32LE(payload.length, 0);
  out[4] = type;
  out.writeUInt32LE(stream, 5);
  payload.copy(out, 9);
  return out;
}

export function requestPayload({ method = 'GET', target = '/', requestId = 'r-1', ip = '10.1.2.3', pin = '', headers = [], flags = 1 }) {
  const head = [method, target, requestId, ip, '0', pin, ...headers.flat()].join('\n');
  return Buffer.concat([Buffer.from([flags]), Buffer.from(head, 'latin1')]);
}

export function windowPayload(credit) {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(credit);
  return out;
}

function readResponse(payload) {
  const length = payload.readUInt32LE(3);
  const fields = payload.latin1Slice(7, 7 + length).split('\n');
  const headers = {};
  for (let i = 2; i < fields.length; i += 2) {
    if (fields[i] in headers) headers[fields[i]] = [headers[fields[i]], fields[i + 1]].flat();
    else headers[fields[i]] = fields[i + 1];
  }
  return { end: (payload[0] & 1) !== 0, upgraded: (payload[0] & 2) !== 0, status: payload.readUInt16LE(1), function: fields[0], version: fields[1], headers, body: payload.subarray(7 + length) };
}

/** One connection to the runtime. */
export class Wire {
  constructor(socket) {
    this.socket = socket;
    this.next = 1;
    this.streams = new Map();
    this.rest = Buffer.alloc(0);
    this.goaway = false;
    this.closed = new Promise((resolve) => socket.once('close', resolve));
    socket.setMaxListeners(0);
    socket.on('error', () => {});
    socket.on('data', (chunk) => this.receive(chunk));
  }

  receive(chunk) {
    let data = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    while (data.length >= 9) {
      const length = data.readUInt32LE(0);
      if (data.length < 9 + length) break;
      this.frame(data[4], data.readUInt32LE(5), Buffer.from(data.subarray(9, 9 + length)));
      data = data.subarray(9 + length);
    }
    this.rest = data;
  }

  frame(type, id, payload) {
    if (type === TYPE.GOAWAY) {
      this.goaway = true;
      return;
    }
    this.streams.get(id)?.take(type, payload);
  }

  /** Opens a stream; `body`: Buffer | undefined. */
  open(request = {}) {
    const id = this.next;
    this.next += 2;
    const stream = new Stream(this, id, request.autoCredit ?? true);
    this.streams.set(id, stream);
    const body = request.body === undefined ? undefined : Buffer.from(request.body);
    const streaming = body !== undefined || request.streaming;
    this.socket.write(frame(TYPE.REQUEST, id, requestPayload({ ...request, flags: request.flags ?? (streaming ? 0 : 1) })));
    if (body !== undefined) {
      stream.upload(body).then(() => this.socket.write(frame(TYPE.END, id)));
    }
    return stream;
  }

  async request(request) {
    return this.open(request).whole();
  }

  close() {
    this.socket.destroy();
  }
}

class Stream {
  constructor(wire, id, autoCredit) {
    this.wire = wire;
    this.id = id;
    this.autoCredit = autoCredit;
    this.window = 256 << 10;
    this.chunks = [];
    this.size = 0;
    this.ended = false;
    this.waiters = [];
  }

  take(type, payload) {
    if (type === TYPE.RESPONSE) {
      if (this.response !== undefined) throw new Error('two RESPONSEs on one stream');
      this.response = readResponse(payload);
      if (this.response.body.length > 0) this.push(this.response.body);
      this.ended ||= this.response.end;
    } else if (type === TYPE.DATA) this.push(payload);
    else if (type === TYPE.END) this.ended = true;
    else if (type === TYPE.WINDOW) this.window += payload.readUInt32LE(0);
    else if (type === TYPE.RESET) this.reset = { code: payload.readUInt32LE(0), reason: payload.subarray(4).toString() };
    const waiters = this.waiters;
    this.waiters = [];
    for (const wake of waiters) wake();
  }

  push(bytes) {
    this.chunks.push(bytes);
    this.size += bytes.length;
    if (this.autoCredit) this.credit(bytes.length);
  }

  credit(bytes) {
    this.wire.socket.write(frame(TYPE.WINDOW, this.id, windowPayload(bytes)));
  }

  data(bytes) {
    this.wire.socket.write(frame(TYPE.DATA, this.id, Buffer.from(bytes)));
  }

  end() {
    this.wire.socket.write(frame(TYPE.END, this.id));
  }

  cancel(code = 1) {
    this.wire.socket.write(frame(TYPE.RESET, this.id, windowPayload(code)));
  }

  async upload(body) {
    for (let at = 0; at < body.length; ) {
      await this.until(() => this.window > 0 || this.reset !== undefined || this.ended);
      if (this.reset !== undefined || this.ended) return;
      const size = Math.min(body.length - at, this.window, 64 << 10);
      this.window -= size;
      this.data(body.subarray(at, at + size));
      at += size;
    }
  }

  async until(condition) {
    while (!condition()) {
      if (!this.wire.socket.destroyed) {
        await new Promise((resolve) => {
          this.waiters.push(resolve);
          this.wire.closed.then(resolve);
        });
      }
      if (this.wire.socket.destroyed && !condition()) throw new Error('the runtime closed the connection');
    }
  }

  body() {
    return Buffer.concat(this.chunks);
  }

  async head() {
    await this.until(() => this.response !== undefined || this.reset !== undefined);
    return this.response;
  }

  async whole() {
    await this.until(() => this.ended || this.reset !== undefined);
    const body = this.body();
    const text = body.toString();
    return { ...this.response, reset: this.reset, body, text, json: () => JSON.parse(text) };
  }
}

/** A running shim. */
export class Runtime {
  static async start({ env = {}, flags = FLAGS, shim = SHIM } = {}) {
    serial += 1;
    const address = `\0darter-runtime-${process.pid}-${serial}-${Date.now()}`;
    const server = net.createServer();
    server.listen(address);
    await once(server, 'listening');
    const runtime = new Runtime();
    runtime.address = address;
    runtime.startedAt = performance.now();
    const stdio = ['ignore', 'pipe', 'pipe', server._handle.fd, 'pipe'];
    const base = { PATH: '/usr/bin', HOME: '/tmp', TZ: 'UTC', LISTEN_FDS: '1', DARTER_CONTROL_FD: '4', DARTER_RUNTIME_MODULES: process.env.DARTER_RUNTIME_MODULES ?? '' };
    runtime.child = spawn(process.execPath, [...flags, shim], { stdio, env: { ...base, ...env } });
    server.close();
    runtime.attach();
    await runtime.event('hello');
    return runtime;
  }

  attach() {
    this.events = [];
    this.logs = [];
    this.waiters = [];
    this.output = '';
    this.exited = once(this.child, 'exit');
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on('data', (chunk) => (this.output += chunk));
    let rest = '';
    this.control = this.child.stdio[4];
    this.control.on('error', () => {});
    this.control.on('data', (chunk) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop();
      for (const line of lines) this.take(JSON.parse(line));
    });
    this.child.on('exit', () => this.wake());
  }

  take(event) {
    if (event.ev === 'log') this.logs.push(event);
    else this.events.push({ ...event, at: performance.now() });
    this.wake();
  }

  wake() {
    const waiters = this.waiters;
    this.waiters = [];
    for (const wake of waiters) wake();
  }

  async until(find) {
    for (;;) {
      const found = find();
      if (found) return found;
      if (this.child.exitCode !== null || this.child.signalCode !== null) throw new Error(`the runtime ended: ${this.output}`);
      await new Promise((resolve) => this.waiters.push(resolve));
    }
  }

  /** Takes the next event of a kind. */
  async event(name, matches = () => true) {
    const is = (event) => event.ev === name && matches(event);
    await this.until(() => this.events.some(is));
    return this.events.splice(this.events.findIndex(is), 1)[0];
  }

  log(matches) {
    const is = typeof matches === 'string' ? (line) => line.message.includes(matches) : matches;
    return this.until(() => this.logs.find(is));
  }

  say(message) {
    this.control.write(`${JSON.stringify(message)}\n`);
  }

  async load(functions, more = {}) {
    const { requestBytes = 10 << 20, ...rest } = more;
    this.say({ op: 'load', appid: 'abc123', env: {}, secret: 'top-secret', functions: functions.map(complete), modulePath: null, limits: { requestBytes }, ...rest });
    return this.event('loaded');
  }

  async publish(definition) {
    this.say({ op: 'publish', function: complete(definition) });
    return this.event('published');
  }

  async connect() {
    const socket = net.connect(this.address);
    await once(socket, 'connect');
    return new Wire(socket);
  }

  async stop() {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGKILL');
      await this.exited;
    }
  }
}

/** `{name, code}` → a whole Function. */
export function complete(definition) {
  return { version: 1, map: null, methods: ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD'], imports: [], ...definition };
}

/** Code in the shape that the compiler makes. `exports` maps names to expressions. */
export function body(source, exported = {}) {
  const getters = Object.entries(exported).map(([name, value]) => `Object.defineProperty(__exports,${JSON.stringify(name)},{enumerable:true,configurable:true,get(){return ${value}}});`);
  return `${getters.join('')}${source}`;
}

/** A function whose default export is this expression. */
export function fn(name, expression, more = {}) {
  return { name, code: body(`${more.top ?? ''}\nconst __default = ${expression};`, { default: '__default' }), ...more };
}

export function temporaryFolder() {
  return fs.mkdtempSync('/tmp/darter-node-');
}
