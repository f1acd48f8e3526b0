// A pool slot that waits for an app has time: it runs a request through the hot path once, so that the first real one
// finds compiled code and touched pages. It must leave no trace, and not run when an app is here already.

import { app } from './app.mjs';
import { patchTls } from './egress.mjs';
import { Invocation, dispatch } from './invoke.mjs';
import { ModuleGraph } from './modules.mjs';
import { Connection, FRAME } from './wire.mjs';

const ROUNDS = 3;
/** A pause between two long steps, in which an app can come. */
const AFTER_TLS_MS = 20;
const CODE = 'Object.defineProperty(__exports,"default",{get(){return f}});async function f(ctx){return {name:ctx.query.name,agent:ctx.headers.host}}';
const HEAD = 'GET\n/warm?name=a\n0\n127.0.0.1\n0\n\nhost\nlocalhost\naccept\n*/*\nuser-agent\nwarm';

/** Stands in for the platform's socket. */
const nowhere = { on() {}, write() {}, destroy() {}, pause() {}, writableLength: 0 };

function frame(stream) {
  const bytes = Buffer.alloc(9 + 1 + HEAD.length);
  bytes.writeUInt32LE(1 + HEAD.length, 0);
  bytes[4] = FRAME.REQUEST;
  bytes.writeUInt32LE(stream, 5);
  bytes[9] = 1;
  bytes.latin1Write(HEAD, 10);
  return bytes;
}

export async function warmUp() {
  if (app.id !== '') return;
  const module = new ModuleGraph().publish({ name: 'warm', version: 1, code: CODE, map: null, methods: ['GET'], imports: [] });
  await module.load();
  const connection = new Connection(nowhere, (exchange) => dispatch(new Invocation(exchange, module)));
  for (let i = 1; i <= ROUNDS; i += 1) connection.receive(frame(i));
  // What most apps come to need and Node takes ten milliseconds each to load: TLS, and the client behind fetch.
  setImmediate(() => app.id === '' && patchTls());
  setTimeout(() => app.id === '' && globalThis.Headers, AFTER_TLS_MS).unref();
}
