// `ctx.request` and `ctx.response`: real Express 4 objects over Node's own, bound to our stream instead of a socket.
// They are made only when a function touches them; Node's and Express's own rules for headers and bodies apply.

import { asBytes, fullHead, isResponse, isStream } from './answer.mjs';
import { builtInPackage } from './packages.mjs';

const http = process.getBuiltinModule('node:http');
const { Duplex } = process.getBuiltinModule('node:stream');

const FIRST_HEADER = 6;
let prototypes;

/** What Express puts on requests and responses. */
function expressPrototypes() {
  if (prototypes !== undefined) return prototypes;
  const app = builtInPackage('express')();
  app.set('trust proxy', true);
  app.disable('x-powered-by');
  const response = Object.create(app.response);
  for (const name of ['_send', '_writeRaw', 'end']) response[name] = StreamResponse[name];
  prototypes = { app, request: app.request, response };
  return prototypes;
}

/** Stands in for the client's socket. */
class ClientSocket extends Duplex {
  constructor(fields, secure) {
    super({ autoDestroy: false, emitClose: true });
    this.remoteAddress = fields[3];
    this.remoteFamily = fields[3].includes(':') ? 'IPv6' : 'IPv4';
    this.encrypted = secure;
  }
  _read() {}
  _write(_chunk, _encoding, done) {
    done();
  }
  setTimeout() {
    return this;
  }
  setNoDelay() {
    return this;
  }
  setKeepAlive() {
    return this;
  }
  ref() {
    return this;
  }
  unref() {
    return this;
  }
  address() {
    return {};
  }
  destroySoon() {}
}

const STATE = Symbol('darter.express');

/** Makes them once per request. `parsed` is what the request carries already. */
export function attach(invocation, parsed, limit = Number.MAX_SAFE_INTEGER) {
  if (invocation.express !== undefined) {
    Object.assign(invocation.express.request, parsed);
    return invocation.express;
  }
  const { request: requestPrototype, response: responsePrototype } = expressPrototypes();
  const { exchange, fields } = invocation;
  const secure = fields.indexOf('x-forwarded-proto') >= FIRST_HEADER && fields[fields.indexOf('x-forwarded-proto') + 1] === 'https';
  const socket = new ClientSocket(fields, secure);
  const request = makeRequest(invocation, socket, requestPrototype, limit);
  const response = new http.ServerResponse(request);
  Object.setPrototypeOf(response, responsePrototype);
  response.sendDate = false;
  response.useChunkedEncodingByDefault = false;
  response.assignSocket(socket);
  response.setHeader('request-id', invocation.requestId);
  response.req = request;
  request.res = response;
  request.next = (error) => void (error && response.destroy(error));
  response.locals = Object.create(null);
  Object.assign(request, parsed, { requestId: invocation.requestId });
  const state = new ExpressPair(invocation, request, response, socket);
  response[STATE] = state;
  invocation.express = state;
  exchange.onDrain = () => state.drained();
  exchange.onAbort(() => state.aborted());
  response.once('pipe', () => {
    state.owned = true;
  });
  return state;
}

function makeRequest(invocation, socket, prototype, limit) {
  const { exchange, fields } = invocation;
  const request = new http.IncomingMessage(socket);
  Object.setPrototypeOf(request, prototype);
  request.method = fields[0];
  request.url = request.originalUrl = fields[1];
  request.baseUrl = '';
  request.params = { 0: fields[1].split('?', 1)[0] };
  request.httpVersion = '1.1';
  request.httpVersionMajor = request.httpVersionMinor = 1;
  const raw = fields.slice(FIRST_HEADER);
  request._addHeaderLines(raw, raw.length);
  request.headers['x-real-ip'] ??= request.headers['x-forwarded-for'] ?? fields[3];
  request.query = invocation.context?.query ?? {};
  if (exchange.consumer !== undefined || !exchange.hasBody) {
    request.complete = true;
    request.push(null);
  } else {
    // The wire has no lengths of its own: without this Express's parsers believe that there is no body.
    if (request.headers['content-length'] === undefined) request.headers['transfer-encoding'] = 'chunked';
    feed(request, exchange, limit);
  }
  return request;
}

/** The body, as fast as the function reads it. */
function feed(request, exchange, limit) {
  let held = 0;
  let size = 0;
  let started = false;
  request._read = () => {
    if (!started) {
      started = true;
      exchange.consume({
        data(bytes) {
          size += bytes.length;
          held += bytes.length;
          if (size > limit) request.emit('toolarge');
          else request.push(bytes);
        },
        end() {
          request.complete = true;
          request.push(null);
        },
      });
      return;
    }
    const taken = held;
    held = 0;
    if (taken > 0) exchange.taken(taken);
  };
}

class ExpressPair {
  constructor(invocation, request, response, socket) {
    this.invocation = invocation;
    this.request = request;
    this.response = response;
    this.socket = socket;
    /** A stream is piped into the response: the function answers. */
    this.owned = false;
    this.ending = false;
    this.chunks = [];
  }

  /** The function has returned: what it returned is the answer, unless it answers itself. */
  answer(value) {
    const { response, invocation } = this;
    if (this.owned || response.headersSent || response.writableEnded || invocation.exchange.responded) return undefined;
    if (typeof value === 'number' || typeof value === 'bigint') return void response.send(String(value));
    if (isResponse(value) || (isStream(value) && asBytes(value) === undefined)) return this.answerStream(value);
    const bytes = typeof value === 'object' && value !== null ? asBytes(value) : undefined;
    response.send(bytes ?? value);
    return undefined;
  }

  async answerStream(value) {
    const { response } = this;
    if (isResponse(value)) {
      response.statusCode = value.status;
      for (const [name, header] of value.headers) response.appendHeader(name, header);
    }
    const source = isResponse(value) ? value.body : value;
    if (source === null) return void response.end();
    for await (const chunk of typeof source[Symbol.asyncIterator] === 'function' ? source : source.stream()) {
      if (this.invocation.exchange.aborted) return;
      if (!response.write(typeof chunk === 'string' ? chunk : Buffer.from(chunk))) await this.writable();
    }
    response.end();
  }

  writable() {
    return new Promise((resolve) => {
      this.response.once('drain', resolve);
      this.response.once('close', resolve);
    });
  }

  /** Drops headers that the function had set: the runtime answers instead. */
  discard() {
    const { response } = this;
    response.removeAllListeners('drain');
  }

  head() {
    const pairs = [];
    for (const name of this.response.getHeaderNames()) {
      const value = this.response.getHeader(name);
      if (Array.isArray(value)) for (const one of value) pairs.push([name, String(one)]);
      else pairs.push([name, String(value)]);
    }
    return pairs;
  }

  /** Bytes of the body, the first of which bring the head along. */
  output(bytes) {
    const { exchange } = this.invocation;
    if (this.ending) {
      if (bytes.length > 0) this.chunks.push(bytes);
      return true;
    }
    if (!exchange.responded) exchange.begin(this.response.statusCode, fullHead(this.invocation, this.head()));
    return exchange.write(bytes);
  }

  complete() {
    const { exchange } = this.invocation;
    const body = this.chunks.length === 1 ? this.chunks[0] : Buffer.concat(this.chunks);
    if (exchange.responded) {
      exchange.write(body);
      exchange.end();
    } else {
      const empty = this.invocation.fields[0] === 'HEAD' || this.response.statusCode === 304;
      const pairs = empty ? this.head() : this.head().filter(([name]) => name !== 'content-length');
      exchange.answerBytes(this.response.statusCode, fullHead(this.invocation, pairs), body);
    }
    setImmediate(() => this.socket.destroy());
  }

  drained() {
    const { response } = this;
    const need = Object.getOwnPropertySymbols(response).find((symbol) => symbol.description === 'kNeedDrain');
    if (need !== undefined) response[need] = false;
    response.emit('drain');
  }

  aborted() {
    const { request, response, socket } = this;
    if (!response.writableFinished) {
      response.destroyed = true;
      if (!request.destroyed) request.destroy();
    }
    socket.destroy();
  }
}

/** What ServerResponse does with bytes, replaced. Everything above it (headers, lengths, HEAD, states) is Node's own. */
const StreamResponse = {
  _send(data, encoding, callback) {
    const state = this[STATE];
    this._headerSent = true;
    const bytes = typeof data === 'string' ? Buffer.from(data, encoding ?? 'utf8') : (asBytes(data) ?? Buffer.alloc(0));
    const more = state.output(bytes);
    if (typeof callback === 'function') process.nextTick(callback);
    return more;
  },
  // 1xx answers are not sent.
  _writeRaw() {
    return true;
  },
  end(...values) {
    const state = this[STATE];
    if (this.writableEnded || state.ending) return http.ServerResponse.prototype.end.apply(this, values);
    state.ending = true;
    try {
      http.ServerResponse.prototype.end.apply(this, values);
    } catch (error) {
      state.ending = false;
      throw error;
    }
    state.complete();
    return this;
  },
};

