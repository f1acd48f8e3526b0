// One request and its answer on a connection. Knows credit and order; knows nothing about functions.
// It must never hold more of a request body than one window, and never send a byte without credit.

import { FLAG_END, FLAG_UPGRADE, MAX_DATA, RESET, WINDOW } from './wire.mjs';

const { Buffer } = process.getBuiltinModule('node:buffer');

const CREDIT_STEP = 64 << 10;
/** A body up to this travels inside the RESPONSE frame. */
const INLINE_BODY = 256 << 10;
const NOTHING = Buffer.alloc(0);

export class Exchange {
  constructor(connection, id, flags, fields) {
    this.connection = connection;
    this.id = id;
    this.fields = fields;
    this.upgrade = (flags & FLAG_UPGRADE) !== 0;
    this.upgraded = false;
    this.bodyEnded = (flags & FLAG_END) !== 0;
    this.hasBody = !this.bodyEnded && !this.upgrade;
    /** `function\nversion` of the answer's head. */
    this.origin = '\n';
    this.responded = false;
    this.ended = false;
    this.aborted = false;
    this.credit = WINDOW;
    this.received = 0;
    this.unacknowledged = 0;
    /** Chunks that nobody has taken. */
    this.inbox = undefined;
    /** @type {{data(chunk: Buffer): void, end(): void} | undefined} */
    this.consumer = undefined;
    /** Bytes that wait for credit. */
    this.outbox = undefined;
    this.endAfterOutbox = false;
    this.onDrain = undefined;
    this.awaitsSocket = false;
    this.abortListeners = undefined;
    this.settled = undefined;
  }

  // ---- the request body

  takeData(bytes) {
    if (this.bodyEnded) return this.connection.violation(`DATA after END on stream ${this.id}`);
    this.received += bytes.length;
    if (this.received > WINDOW) return this.connection.violation(`more DATA than the window allows on stream ${this.id}`);
    // The answer is complete: the rest of the body goes nowhere.
    if (this.ended) return this.taken(bytes.length);
    if (this.consumer !== undefined) return this.consumer.data(bytes);
    (this.inbox ??= []).push(bytes);
    return undefined;
  }

  takeEnd() {
    if (this.bodyEnded) return this.connection.violation(`END twice on stream ${this.id}`);
    this.bodyEnded = true;
    this.consumer?.end();
    this.forgetIfDone();
    return undefined;
  }

  /** Gives the body to `consumer`, which calls `taken` as it takes bytes. */
  consume(consumer) {
    this.consumer = consumer;
    const inbox = this.inbox;
    this.inbox = undefined;
    if (inbox !== undefined) for (const bytes of inbox) consumer.data(bytes);
    if (this.bodyEnded) consumer.end();
  }

  taken(bytes) {
    this.unacknowledged += bytes;
    if (this.unacknowledged < CREDIT_STEP || this.bodyEnded || this.aborted) return;
    this.received -= this.unacknowledged;
    this.connection.sendWindow(this.id, this.unacknowledged);
    this.unacknowledged = 0;
  }

  // ---- the answer

  /** A whole answer with a text body. */
  answerText(status, head, body) {
    if (this.aborted || this.responded) return;
    this.responded = true;
    this.ended = true;
    if (body.length > INLINE_BODY / 3) this.answerLong(status, head, Buffer.from(body));
    else this.connection.sendText(this.id, status, head, body);
    this.forgetIfDone();
  }

  /** A whole answer with a body of bytes. */
  answerBytes(status, head, body) {
    if (this.aborted || this.responded) return;
    this.responded = true;
    this.ended = true;
    this.answerLong(status, head, body);
    this.forgetIfDone();
  }

  answerLong(status, head, body) {
    if (body.length <= INLINE_BODY) {
      this.connection.sendResponse(this.id, FLAG_END, status, head, body);
      return;
    }
    this.connection.sendResponse(this.id, 0, status, head, NOTHING);
    this.endAfterOutbox = true;
    this.push(body);
  }

  /** The head of an answer whose body follows with `write` and `end`. */
  begin(status, head, upgraded = false) {
    if (this.aborted || this.responded) return;
    this.connection.sendResponse(this.id, upgraded ? FLAG_UPGRADE : 0, status, head, NOTHING);
    this.responded = true;
    this.upgraded = upgraded;
  }

  /** Sends body bytes; false when the caller should wait for `onDrain`. */
  write(bytes) {
    if (this.aborted || this.ended || bytes.length === 0) return !this.aborted;
    this.push(bytes);
    if (this.outbox !== undefined) return false;
    const { socket } = this.connection;
    if (socket.writableLength < WINDOW) return true;
    // Who writes sets `onDrain` only after it was told to wait: look it up when the socket has room again.
    if (!this.awaitsSocket) {
      this.awaitsSocket = true;
      socket.once('drain', () => {
        this.awaitsSocket = false;
        if (this.outbox === undefined) this.onDrain?.();
      });
    }
    return false;
  }

  push(bytes) {
    if (this.outbox !== undefined) {
      this.outbox.push(bytes);
      return;
    }
    const sent = this.sendWithinCredit(bytes);
    if (sent < bytes.length) this.outbox = [bytes.subarray(sent)];
    else if (this.endAfterOutbox) this.connection.sendEnd(this.id);
  }

  sendWithinCredit(bytes) {
    let at = 0;
    while (at < bytes.length && this.credit > 0) {
      const size = Math.min(bytes.length - at, this.credit, MAX_DATA);
      this.connection.sendData(this.id, bytes.subarray(at, at + size));
      this.credit -= size;
      at += size;
    }
    return at;
  }

  takeCredit(credit) {
    this.credit += credit;
    if (this.credit > WINDOW + CREDIT_STEP * 16) {
      this.connection.violation(`a window larger than the protocol allows on stream ${this.id}`);
      return;
    }
    const outbox = this.outbox;
    if (outbox === undefined) return;
    this.outbox = undefined;
    for (let i = 0; i < outbox.length; i += 1) {
      const sent = this.sendWithinCredit(outbox[i]);
      if (sent === outbox[i].length) continue;
      outbox[i] = outbox[i].subarray(sent);
      this.outbox = outbox.slice(i);
      return;
    }
    if (this.endAfterOutbox) {
      this.connection.sendEnd(this.id);
      this.forgetIfDone();
    } else this.onDrain?.();
  }

  end() {
    if (this.aborted || this.ended) return;
    this.ended = true;
    if (this.outbox === undefined) this.connection.sendEnd(this.id);
    else this.endAfterOutbox = true;
    this.forgetIfDone();
  }

  /** Ends the stream in both directions because the answer cannot be completed. */
  reset(code, reason) {
    if (this.aborted) return;
    this.connection.streams.delete(this.id);
    this.connection.sendReset(this.id, code, reason);
    this.abort(code);
  }

  takeReset(code) {
    this.connection.streams.delete(this.id);
    this.abort(code);
  }

  /** Nobody waits for this answer any more. */
  abort(code) {
    if (this.aborted) return;
    this.aborted = true;
    this.inbox = undefined;
    this.outbox = undefined;
    const listeners = this.abortListeners;
    this.abortListeners = undefined;
    if (listeners !== undefined) for (const listener of listeners) listener(code);
    this.connection.onIdle?.();
  }

  onAbort(listener) {
    if (this.aborted) listener(RESET.CANCELLED);
    else (this.abortListeners ??= []).push(listener);
  }

  /** Calls back when the answer is complete, or was given up. */
  onSettled(listener) {
    if (this.aborted || (this.ended && this.outbox === undefined)) listener();
    else {
      this.settled = listener;
      this.onAbort(listener);
    }
  }

  forgetIfDone() {
    if (!this.ended || this.outbox !== undefined) return;
    const settled = this.settled;
    this.settled = undefined;
    settled?.();
    if (!this.bodyEnded && !this.upgrade) {
      // The answer is complete and the platform still sends: tell it to stop.
      this.bodyEnded = true;
      this.inbox = undefined;
      this.connection.sendReset(this.id, RESET.CANCELLED, 'the answer is complete');
    }
    if (this.upgraded && !this.bodyEnded) return;
    this.connection.streams.delete(this.id);
    this.connection.onIdle?.();
  }
}
