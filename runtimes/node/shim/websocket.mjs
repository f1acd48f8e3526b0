// WebSockets: an upgrade goes to `__websocket__`, the protocol itself is the `ws` package's, over our stream.

import { app } from './app.mjs';
import { answerPlain, headerText } from './answer.mjs';
import { emit } from './console.mjs';
import { describe } from './errors.mjs';
import { headersOf } from './head.mjs';
import { callMain, fail, Invocation } from './invoke.mjs';
import { builtInPackage } from './packages.mjs';
import { scopes } from './scope.mjs';
import { sockets } from './sockets.mjs';

const { Duplex } = process.getBuiltinModule('node:stream');

const NAME = '__websocket__';
const MAX_MESSAGE = 16 << 20;
let server;

function webSocketServer() {
  if (server !== undefined) return server;
  const { WebSocketServer } = builtInPackage('ws');
  server = new WebSocketServer({ noServer: true, clientTracking: false, maxPayload: MAX_MESSAGE, perMessageDeflate: false });
  return server;
}

/** Answers an upgrade request. */
export async function upgrade(exchange) {
  const module = app.graph.lookup(NAME);
  const invocation = new Invocation(exchange, module);
  if (module === undefined) return answerPlain(invocation, 404, 'Function Not Found');
  try {
    await module.load();
  } catch (error) {
    return fail(invocation, error);
  }
  if (exchange.aborted) return undefined;
  const headers = headersOf(exchange.fields);
  const duplex = new UpgradedStream(exchange, invocation);
  const request = { method: exchange.fields[0], url: exchange.fields[1], headers, httpVersion: '1.1', socket: duplex };
  webSocketServer().handleUpgrade(request, duplex, Buffer.alloc(0), (socket) => serve(socket, invocation, request));
  return undefined;
}

/** Laf's four events, in order: the connection event is delivered before any message. */
function serve(socket, invocation, request) {
  const call = (method, params, more) => invoke(socket, invocation, { method, params, ...more });
  sockets.add(socket);
  socket.on('message', (data, isBinary) => call('WebSocket:message', { data, isBinary }));
  socket.on('error', (error) => call('WebSocket:error', error));
  socket.on('close', (code, reason) => {
    sockets.delete(socket);
    call('WebSocket:close', { code, reason });
  });
  call('WebSocket:connection', null, { url: request.url, headers: request.headers });
}

function invoke(socket, invocation, event) {
  const { scope, requestId } = invocation;
  // A publish replaces the function for open sockets, too.
  const module = app.graph.lookup(NAME) ?? invocation.module;
  const context = { __function_name: NAME, requestId, query: {}, body: {}, headers: undefined, files: [], user: null, socket, ...event };
  const run = async () => {
    await module.load();
    return callMain(module, context);
  };
  scopes.run({ ...scope, version: module.version }, run).catch((error) => scopes.run(scope, emit, 'error', NAME, module.version, describe(error)));
}

/** The upgraded stream as `ws` wants it. What `ws` writes first is an HTTP head, which becomes the RESPONSE frame. */
class UpgradedStream extends Duplex {
  constructor(exchange, invocation) {
    super({ allowHalfOpen: true });
    this.exchange = exchange;
    this.invocation = invocation;
    this.begun = false;
    this.held = 0;
    this.on('error', () => {});
    exchange.onAbort(() => this.destroy());
    exchange.onDrain = () => this.drained();
    exchange.consume({
      data: (bytes) => {
        this.held += bytes.length;
        this.push(Buffer.from(bytes));
      },
      end: () => this.push(null),
    });
  }

  _read() {
    const taken = this.held;
    this.held = 0;
    if (taken > 0) this.exchange.taken(taken);
  }

  _write(bytes, _encoding, done) {
    if (!this.begun) {
      this.begin(bytes);
      done();
    } else if (this.exchange.write(bytes) || this.exchange.aborted) done();
    else this.waiting = done;
  }

  drained() {
    const done = this.waiting;
    this.waiting = undefined;
    done?.();
  }

  begin(bytes) {
    this.begun = true;
    const text = bytes.latin1Slice();
    const end = text.indexOf('\r\n\r\n');
    const [status, ...lines] = text.slice(0, end).split('\r\n');
    const code = Number(status.split(' ', 2)[1]);
    const pairs = lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]);
    const head = `${this.invocation.origin}\nrequest-id\n${this.invocation.requestId}`;
    const rest = bytes.subarray(end + 4);
    if (code === 101) this.exchange.begin(101, head + headerText(pairs), true);
    else this.exchange.answerBytes(code, head + headerText(pairs.filter(([name]) => name.toLowerCase() !== 'content-length')), rest);
  }

  _final(done) {
    this.exchange.end();
    done();
  }

  _destroy(error, done) {
    if (!this.exchange.ended && !this.exchange.aborted) this.exchange.reset(1, 'the socket was closed');
    this.drained();
    done(error);
  }

  setTimeout() {
    return this;
  }

  setNoDelay() {
    return this;
  }
}
