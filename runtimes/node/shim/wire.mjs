// The runtime's side of the wire protocol (docs/reference/wire-protocol.md): frames in, frames out, credit both ways.
// Everything that is answered within one turn of the event loop leaves in one write.
// It must never buffer without bound: a body waits for credit, and requests wait in the socket while answers are not taken.
//
//   stream:  open ──respond──► answering ──end──► closed      (either side may reset at any point)

import { Exchange } from './exchange.mjs';

const { Buffer } = process.getBuiltinModule('node:buffer');

export const FRAME = { REQUEST: 1, DATA: 2, END: 3, RESET: 4, WINDOW: 5, RESPONSE: 6, GOAWAY: 7 };
export const RESET = { CANCELLED: 1, PROTOCOL: 2, INTERNAL: 3, REFUSED: 4, DEADLINE: 5 };
export const FLAG_END = 1;
export const FLAG_UPGRADE = 2;
export const MAX_DATA = 64 << 10;
export const WINDOW = 256 << 10;

const HEADER = 9;
const MAX_PAYLOAD = 1 << 20;
const MAX_HEAD = 64 << 10;
const MAX_STREAMS = 4096;
const POOL = 64 << 10;
/** Output that the platform has not taken, above which no new frame is read. */
const PAUSE_ABOVE = 4 << 20;
const EMPTY = Buffer.alloc(0);

/** A connection from the platform. */
export class Connection {
  /**
   * @param {import('node:net').Socket} socket
   * @param {(exchange: Exchange) => void} onRequest
   */
  constructor(socket, onRequest) {
    this.socket = socket;
    this.onRequest = onRequest;
    /** @type {Map<number, Exchange>} */
    this.streams = new Map();
    this.out = Buffer.allocUnsafeSlow(POOL);
    this.used = 0;
    this.flushing = false;
    this.draining = false;
    this.closed = false;
    this.paused = false;
    /** Parts of a frame that is not whole yet. */
    this.parts = [];
    this.have = 0;
    this.need = HEADER;
    this.flushLater = () => {
      this.flushing = false;
      this.flush();
    };
    socket.on('data', (chunk) => this.receive(chunk));
    socket.on('drain', () => this.resume());
    socket.on('end', () => this.close());
    socket.on('error', () => this.close());
    socket.on('close', () => this.close());
  }

  receive(chunk) {
    if (this.have > 0) {
      this.parts.push(chunk);
      this.have += chunk.length;
      if (this.have < this.need) return;
      chunk = Buffer.concat(this.parts, this.have);
      this.parts = [];
      this.have = 0;
    }
    const rest = this.parse(chunk);
    if (this.closed || rest === chunk.length) return;
    this.parts.push(rest === 0 ? chunk : chunk.subarray(rest));
    this.have = chunk.length - rest;
  }

  /** Takes whole frames; returns where the first incomplete one begins and sets `need`. */
  parse(chunk) {
    let at = 0;
    const end = chunk.length;
    while (end - at >= HEADER) {
      const length = chunk.readUInt32LE(at);
      if (length > MAX_PAYLOAD) {
        this.violation('a frame is longer than 1 MiB');
        return end;
      }
      if (end - at < HEADER + length) {
        this.need = HEADER + length;
        return at;
      }
      const stream = chunk.readUInt32LE(at + 5);
      this.frame(chunk[at + 4], stream, chunk, at + HEADER, at + HEADER + length);
      if (this.closed) return end;
      at += HEADER + length;
    }
    this.need = HEADER;
    return at;
  }

  frame(type, id, chunk, from, to) {
    if (type === FRAME.REQUEST) return this.request(id, chunk, from, to);
    if (type < FRAME.DATA || type > FRAME.WINDOW) return this.violation(`a frame of the unknown type ${type}`);
    const exchange = this.streams.get(id);
    // A frame for a stream that has ended here is on its way while our END or RESET is on its own.
    if (exchange === undefined) return undefined;
    switch (type) {
      case FRAME.DATA:
        return exchange.takeData(chunk.subarray(from, to));
      case FRAME.END:
        return exchange.takeEnd();
      case FRAME.RESET:
        return exchange.takeReset(to - from >= 4 ? chunk.readUInt32LE(from) : RESET.CANCELLED);
      default:
        if (to - from !== 4) return this.violation('a WINDOW frame that is not four bytes long');
        return exchange.takeCredit(chunk.readUInt32LE(from));
    }
  }

  request(id, chunk, from, to) {
    if (to - from < 2 || to - from > MAX_HEAD + 1) return this.violation('a REQUEST frame of an impossible length');
    if (this.streams.has(id)) return this.violation(`stream ${id} is open already`);
    if (this.streams.size >= MAX_STREAMS) return this.sendReset(id, RESET.REFUSED, 'too many open streams');
    if (this.draining) return this.sendReset(id, RESET.REFUSED, 'draining');
    const fields = chunk.latin1Slice(from + 1, to).split('\n');
    if (fields.length < 6 || (fields.length & 1) === 1) return this.violation('a request head with a missing field');
    const exchange = new Exchange(this, id, chunk[from], fields);
    this.streams.set(id, exchange);
    return this.onRequest(exchange);
  }

  violation(why) {
    process.emitWarning(`The platform broke the wire protocol: ${why}. The connection is closed.`);
    this.socket.destroy();
    this.close();
  }

  close() {
    if (this.closed) return;
    this.closed = true;
    const streams = [...this.streams.values()];
    this.streams.clear();
    this.parts = [];
    for (const exchange of streams) exchange.abort(RESET.CANCELLED);
    this.socket.destroy();
    this.onClose?.();
  }

  // ---- sending

  /** Room for `bytes` in the output buffer; where it begins. `bytes` must fit into an empty one. */
  reserve(bytes) {
    if (this.used + bytes > POOL) this.flush();
    if (!this.flushing) {
      this.flushing = true;
      process.nextTick(this.flushLater);
    }
    return this.used;
  }

  header(at, length, type, stream) {
    const out = this.out;
    out.writeInt32LE(length, at);
    out[at + 4] = type;
    out.writeUInt32LE(stream, at + 5);
    return at + HEADER;
  }

  /** A whole answer whose body is text: the hot path. `head` is latin-1 and has been checked. */
  sendText(id, status, head, body) {
    const most = HEADER + 7 + head.length + body.length * 3;
    if (most > POOL) return this.sendResponse(id, FLAG_END, status, head, Buffer.from(body));
    const at = this.reserve(most);
    const out = this.out;
    const text = at + HEADER + 7;
    const headLength = out.latin1Write(head, text);
    const bodyLength = body.length === 0 ? 0 : out.utf8Write(body, text + headLength);
    this.header(at, 7 + headLength + bodyLength, FRAME.RESPONSE, id);
    out[at + 9] = FLAG_END;
    out.writeUInt16LE(status, at + 10);
    out.writeUInt32LE(headLength, at + 12);
    this.used = text + headLength + bodyLength;
    return undefined;
  }

  sendResponse(id, flags, status, head, body) {
    if (head.length > MAX_HEAD) throw new RangeError('the response headers are longer than 64 KiB');
    const fixed = HEADER + 7 + head.length;
    if (fixed > POOL) this.sendLarge(this.responseHead(id, flags, status, head, body.length));
    else {
      const at = this.reserve(fixed);
      this.header(at, 7 + head.length + body.length, FRAME.RESPONSE, id);
      this.out[at + 9] = flags;
      this.out.writeUInt16LE(status, at + 10);
      this.out.writeUInt32LE(head.length, at + 12);
      this.out.latin1Write(head, at + 16);
      this.used = at + fixed;
    }
    this.sendBytes(body);
  }

  responseHead(id, flags, status, head, bodyLength) {
    const frame = Buffer.allocUnsafe(HEADER + 7 + head.length);
    frame.writeUInt32LE(7 + head.length + bodyLength, 0);
    frame[4] = FRAME.RESPONSE;
    frame.writeUInt32LE(id, 5);
    frame[9] = flags;
    frame.writeUInt16LE(status, 10);
    frame.writeUInt32LE(head.length, 12);
    frame.latin1Write(head, 16);
    return frame;
  }

  /** Copies small bytes next to the others; large ones are written as they are. */
  sendBytes(bytes) {
    if (bytes.length === 0) return;
    if (bytes.length > POOL / 4) return this.sendLarge(bytes);
    const at = this.reserve(bytes.length);
    this.out.set(bytes, at);
    this.used = at + bytes.length;
  }

  sendLarge(bytes) {
    this.flush();
    if (!this.closed) this.socket.write(bytes);
    this.pauseIfFull();
  }

  sendData(id, bytes) {
    const at = this.reserve(HEADER);
    this.used = this.header(at, bytes.length, FRAME.DATA, id);
    this.sendBytes(bytes);
  }

  sendEnd(id) {
    const at = this.reserve(HEADER);
    this.used = this.header(at, 0, FRAME.END, id);
  }

  sendReset(id, code, reason) {
    const text = Buffer.from(reason).subarray(0, 512);
    const at = this.reserve(HEADER + 4 + text.length);
    this.header(at, 4 + text.length, FRAME.RESET, id);
    this.out.writeUInt32LE(code, at + 9);
    this.out.set(text, at + 13);
    this.used = at + 13 + text.length;
  }

  sendWindow(id, credit) {
    const at = this.reserve(HEADER + 4);
    this.header(at, 4, FRAME.WINDOW, id);
    this.out.writeUInt32LE(credit, at + 9);
    this.used = at + 13;
  }

  /** No new requests from here on; those that run finish. */
  goaway() {
    if (this.draining || this.closed) return;
    this.draining = true;
    const at = this.reserve(HEADER);
    this.used = this.header(at, 0, FRAME.GOAWAY, 0);
  }

  flush() {
    if (this.used === 0) return;
    const bytes = this.out.subarray(0, this.used);
    this.used = 0;
    if (this.closed) return;
    this.socket.write(bytes);
    // The kernel took everything at once nearly always; else the buffer is still being written and a new one is needed.
    if (this.socket.writableLength > 0) {
      this.out = Buffer.allocUnsafeSlow(POOL);
      this.pauseIfFull();
    }
  }

  pauseIfFull() {
    if (!this.paused && this.socket.writableLength > PAUSE_ABOVE) {
      this.paused = true;
      this.socket.pause();
    }
  }

  resume() {
    if (!this.paused) return;
    this.paused = false;
    this.socket.resume();
  }
}

export { EMPTY };
