// From a request to the function that answers it: which one, whether it may, what it is given, what becomes of its failure.
// The hot path (module loaded, no body, no interceptor) must not await, and must not touch anything that it does not need.

import { app, pinned } from './app.mjs';
import { answer, answerJson, answerPlain } from './answer.mjs';
import { Context } from './context.mjs';
import { emit } from './console.mjs';
import { describe, lineOf } from './errors.mjs';
import { scopes } from './scope.mjs';
import { parseToken } from './token.mjs';
import { RESET } from './wire.mjs';

const MAX_NAME = 256;
/** How long requests wait for `__init__`. */
const INIT_PATIENCE_MS = 10_000;
export const INIT = '__init__';
export const INTERCEPTOR = '__interceptor__';
export const FALLBACK = '__default__';

const FIRST_HEADER = 6;
/** Requests that came before the app was loaded. */
let waiting = [];

/** One request on its way through a function. */
export class Invocation {
  constructor(exchange, module) {
    this.exchange = exchange;
    this.module = module;
    this.fields = exchange.fields;
    this.requestId = exchange.fields[2];
    this.scope = { requestId: this.requestId, name: module?.name ?? '', version: module?.version ?? 0, logs: undefined };
    this.interceptor = undefined;
    this.context = undefined;
    /** Express's request and response, when the function asked for them. */
    this.express = undefined;
    /** Makes the headers that a debug run adds to its answer. */
    this.debugHead = undefined;
    this.contentType = '';
    this.authorization = '';
    this.cleanups = undefined;
    this.origin = module === undefined ? '\n' : module.origin;
  }

  /** Calls back once the answer is complete or nobody waits for it any more. */
  onSettled(callback) {
    (this.cleanups ??= []).push(callback);
    if (this.cleanups.length === 1) this.exchange.onSettled(() => this.cleanups.forEach((cleanup) => cleanup()));
  }
}

/** Takes a request from the wire. */
export function receive(exchange) {
  if (!app.ready) {
    waiting.push(exchange);
    return;
  }
  try {
    route(exchange);
  } catch (error) {
    fail(new Invocation(exchange, undefined), error);
  }
}

export function resumeWaiting() {
  const queue = waiting;
  waiting = [];
  for (const exchange of queue) if (!exchange.aborted) receive(exchange);
}

function functionNameOf(target) {
  const query = target.indexOf('?');
  const path = query === -1 ? target.slice(1) : target.slice(1, query);
  if (!path.includes('%')) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function route(exchange) {
  const fields = exchange.fields;
  const name = functionNameOf(fields[1]);
  if (exchange.upgrade) {
    import('./websocket.mjs').then((sockets) => sockets.upgrade(exchange)).catch((error) => fail(new Invocation(exchange, undefined), error));
    return;
  }
  if (name.length > MAX_NAME) return answerPlain(new Invocation(exchange, undefined), 500, 'function name is too long');
  if (name.startsWith('_/')) return void import('./typings.mjs').then((service) => service.serve(exchange, name)).catch((error) => fail(new Invocation(exchange, undefined), error));
  const pin = fields[5];
  const found = pin === '' ? app.graph.lookup(name) : pinned(pin, name);
  const invocation = new Invocation(exchange, found);
  const marks = scanHeaders(invocation);
  if (marks.debug) return void import('./debug.mjs').then((debug) => debug.run(invocation, name)).catch((error) => fail(invocation, error));
  if (found === undefined) return routeUnknown(invocation, name, pin);
  return dispatch(invocation, marks.trigger);
}

function routeUnknown(invocation, name, pin) {
  if (pin !== '') return answerPlain(invocation, 404, `Version Not Found: version ${pin} of the function "${name}" is not loaded here.`);
  const fallback = app.graph.lookup(FALLBACK);
  const policy = invocation.fields[0] === 'POST' && /^proxy\/[^/]+$/.test(name);
  if (policy) return answerPlain(invocation, 404, 'Policy Not Found');
  if (fallback === undefined) return answerPlain(invocation, 404, 'Function Not Found');
  return dispatch(adopt(invocation, fallback), scanHeaders(invocation).trigger);
}

/** Gives an invocation its module after all. */
export function adopt(invocation, module) {
  invocation.module = module;
  invocation.scope.name = module.name;
  invocation.scope.version = module.version;
  invocation.origin = module.origin;
  return invocation;
}

/** One walk over the header names for all that the platform side needs to know. */
function scanHeaders(invocation) {
  const fields = invocation.fields;
  let debug = false;
  let trigger = '';
  for (let i = FIRST_HEADER; i < fields.length; i += 2) {
    const name = fields[i];
    switch (name.length) {
      case 12:
        if (name === 'content-type') invocation.contentType = fields[i + 1];
        break;
      case 13:
        if (name === 'authorization') invocation.authorization = fields[i + 1];
        break;
      case 19:
        if (name === 'x-laf-develop-token') debug ||= hasDebugData(fields);
        else if (name === 'x-laf-trigger-token') trigger = fields[i + 1];
        break;
      default:
    }
  }
  NO_MARKS.debug = debug;
  NO_MARKS.trigger = trigger;
  return NO_MARKS;
}

/** Reused: read at once by the caller. */
const NO_MARKS = { debug: false, trigger: '' };

function hasDebugData(fields) {
  for (let i = FIRST_HEADER; i < fields.length; i += 2) if (fields[i] === 'x-laf-debug-data' || fields[i] === 'x-laf-func-data') return true;
  return false;
}

/** Checks the method and goes on, at once when nothing has to be waited for. */
export function dispatch(invocation, trigger = '') {
  const { module, exchange } = invocation;
  const method = invocation.fields[0];
  if (module.methods.length > 0 && !module.methods.includes(method) && parseToken(trigger, app.secret)?.type !== 'trigger') {
    return answerPlain(invocation, 405, 'Method Not Allowed');
  }
  if (app.graph.cached === false) return void prepareFresh(invocation);
  const interceptor = module.name === INTERCEPTOR ? undefined : app.graph.lookup(INTERCEPTOR);
  invocation.interceptor = interceptor;
  const loaded = module.state === 'ready' && (interceptor === undefined || interceptor.state === 'ready');
  if (loaded && !exchange.hasBody) {
    invocation.context = new Context(invocation, {}, undefined);
    return scopes.run(invocation.scope, execute, invocation);
  }
  return void prepare(invocation);
}

/** With the module cache off every call gets modules of its own. */
function prepareFresh(invocation) {
  const graph = app.graph.fresh();
  const { module } = invocation;
  invocation.module = module.graph.lookup(module.name) === module ? graph.lookup(module.name) : graph.detached(module.definition);
  invocation.interceptor = module.name === INTERCEPTOR ? undefined : graph.lookup(INTERCEPTOR);
  return prepare(invocation);
}

async function prepare(invocation) {
  const { module, interceptor, exchange } = invocation;
  try {
    if (interceptor !== undefined && interceptor.state !== 'ready') await interceptor.load();
    if (module.state !== 'ready') await module.load();
    const parsed = exchange.hasBody && module.fetch === undefined ? await (await import('./body.mjs')).parseBody(invocation) : undefined;
    if (exchange.aborted || exchange.responded) return;
    invocation.context = new Context(invocation, parsed === undefined ? {} : parsed.body, parsed?.files);
    scopes.run(invocation.scope, execute, invocation);
  } catch (error) {
    fail(invocation, error);
  }
}

function execute(invocation) {
  let result;
  try {
    result = invocation.interceptor === undefined ? callMain(invocation.module, invocation.context) : intercept(invocation);
  } catch (error) {
    return fail(invocation, error);
  }
  if (typeof result?.then !== 'function') return settle(invocation, result);
  result.then((value) => settle(invocation, value), (error) => fail(invocation, error));
  return undefined;
}

/** Calls the entry of a module that is loaded. */
export function callMain(module, context) {
  const main = module.main;
  if (main === undefined) throw new Error(`The function "${module.name}" exports nothing to call. Write: export default async function (ctx) { … }`);
  // The interceptor's own HTTP call gets a next that does nothing.
  return module.name === INTERCEPTOR ? main(context, async () => {}) : main(context);
}

const FORBIDDEN = Symbol('forbidden');

async function intercept(invocation) {
  const { interceptor, module, context } = invocation;
  const check = interceptor.main;
  if (check === undefined) throw new Error(`The interceptor exports nothing to call. Write: export default async function (ctx, next) { … }`);
  if (check.length < 2) return (await check(context)) === false ? FORBIDDEN : callMain(module, context);
  let passed = false;
  const result = await check(context, (given) => {
    passed = true;
    return callMain(module, given ?? context);
  });
  return result === false && !passed ? FORBIDDEN : result;
}

function settle(invocation, value) {
  if (value === FORBIDDEN) return answerJson(invocation, 403, { error: 'Forbidden', requestId: invocation.requestId });
  try {
    const pending = answer(invocation, value);
    if (pending !== undefined) pending.catch((error) => fail(invocation, error));
  } catch (error) {
    fail(invocation, error);
  }
  return undefined;
}

/** Logs a failure and answers for it as far as that is still possible. */
export function fail(invocation, error) {
  const { exchange } = invocation;
  if (exchange.aborted && error?.name === 'AbortError') return;
  const status = error?.expose === true && error.status >= 400 && error.status < 500 ? error.status : 500;
  if (status === 500) scopes.run(invocation.scope, emit, 'error', invocation.scope.name, invocation.scope.version, describe(error));
  if (exchange.aborted || exchange.ended) return;
  if (exchange.responded) return exchange.reset(RESET.INTERNAL, 'the function failed while it was answering');
  const text = status === 500 ? 'Internal Server Error' : error.message;
  answerJson(invocation, status, { error: text, requestId: invocation.requestId }, true);
}

/** Runs `__init__` and loads the interceptor; what failed, for the engine. */
export async function initialise() {
  const errors = [];
  for (const name of [INTERCEPTOR, INIT]) {
    const module = app.graph.lookup(name);
    if (module === undefined) continue;
    const scope = { requestId: '', name, version: module.version, logs: undefined };
    try {
      await module.load();
      if (name === INIT) await patiently(scopes.run(scope, runInit, module), scope);
    } catch (error) {
      scopes.run(scope, emit, 'error', name, module.version, describe(error));
      errors.push({ function: name, message: String(error?.message ?? error), line: lineOf(error, name) });
    }
  }
  return errors;
}

async function runInit(module) {
  return callMain(module, { __function_name: INIT, requestId: '', method: 'INIT', query: {}, body: {}, headers: {}, files: [], user: null });
}

/** An `__init__` that does not end must not keep the app from answering. */
function patiently(running, scope) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      scopes.run(scope, emit, 'warn', INIT, scope.version, `__init__ has not finished after ${INIT_PATIENCE_MS / 1000} s. Requests are answered without waiting for it any longer.`);
      resolve();
    }, INIT_PATIENCE_MS);
    running.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
