// What the engine can ask for (docs/reference/runtime-control.md), one function each.

import { addDraft, addPin, app, setEnvironment } from './app.mjs';
import { send, whenSent } from './control.mjs';
import { emit } from './console.mjs';
import { describe, lineOf } from './errors.mjs';
import { setModulePath } from './packages.mjs';
import { initialise, resumeWaiting } from './invoke.mjs';
import { drain } from './server.mjs';
import { installGlobals } from './globals.mjs';

const fs = process.getBuiltinModule('node:fs');
const module = process.getBuiltinModule('node:module');
const v8 = process.getBuiltinModule('node:v8');

const RUNTIME_CACHE = '/runtime/cache';
let exit = (code) => process.reallyExit(code);

export function setExit(end) {
  exit = end;
}

/** V8's compiled code for packages: the app's cache was filled when its packages were installed. */
function enableCache(modulePath) {
  const own = modulePath === null ? '' : `${modulePath}/.cache`;
  const directory = own !== '' && fs.existsSync(own) ? own : RUNTIME_CACHE;
  if (fs.existsSync(directory)) module.enableCompileCache(directory);
}

async function load(message) {
  if (app.id !== '') throw new Error('load was sent twice: a process serves one app');
  const started = performance.now();
  app.id = String(message.appid);
  app.secret = String(message.secret ?? '');
  app.limitBytes = Number(message.limits?.requestBytes) || undefined;
  app.modulePath = message.modulePath ?? null;
  enableCache(app.modulePath);
  setModulePath(app.modulePath);
  setEnvironment(message.env ?? {});
  installGlobals();
  for (const definition of message.functions ?? []) app.graph.publish(definition);
  const compiled = performance.now();
  const errors = await initialise();
  const ms = { compile: compiled - started, init: performance.now() - compiled };
  app.ready = true;
  send({ ev: 'loaded', ms, errors });
  resumeWaiting();
}

function publish(message) {
  const definition = message.function;
  const module = app.graph.publish(definition);
  const event = { ev: 'published', name: definition.name, version: definition.version };
  try {
    module.compile();
  } catch (error) {
    event.error = `${error.name}: ${error.message} (line ${lineOf(error, definition.name) ?? '?'})`;
    emit('error', definition.name, definition.version, describe(error));
  }
  send(event);
}

let pingDue = 0;

/** Answers at once; how late the loop is shows in when an immediate runs. */
function ping(message) {
  pingDue = performance.now();
  setImmediate(() => {
    const lagMs = performance.now() - pingDue;
    send({ ev: 'pong', seq: message.seq, lagMs, heapMb: v8.getHeapStatistics().used_heap_size / 1048576 });
  });
}

export const operations = {
  load: (message) => void load(message),
  publish,
  remove: (message) => app.graph.remove(message.name),
  environment: (message) => setEnvironment(message.env ?? {}),
  draft: (message) => addDraft(String(message.id), message.function),
  pin: (message) => addPin(message.function),
  ping,
  drain: () => drain(() => {
    send({ ev: 'drained' });
    whenSent(() => exit(0));
  }),
};
