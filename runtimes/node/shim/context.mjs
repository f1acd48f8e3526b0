// `ctx` as Laf defines it. Cheap fields are plain data; headers and the Express objects are made when they are touched.

import { app } from './app.mjs';
import { headersOf, parseQuery } from './head.mjs';
import { bearer, parseToken } from './token.mjs';

/** Own and enumerable, so that it survives `{...ctx}`; see `completed`. */
export const ORIGIN = Symbol('darter.invocation');
let express;

export class Context {
  constructor(invocation, body, files) {
    const fields = invocation.fields;
    this[ORIGIN] = invocation;
    this.__function_name = invocation.module.name;
    this.requestId = invocation.requestId;
    this.method = fields[0];
    this.query = parseQuery(fields[1]);
    this.body = body;
    this.files = files ?? [];
    this.user = invocation.authorization === '' ? null : parseToken(bearer(invocation.authorization), app.secret);
  }

  get headers() {
    return replace(this, 'headers', headersOf(this[ORIGIN].fields));
  }
  set headers(value) {
    replace(this, 'headers', value);
  }

  get request() {
    return replace(this, 'request', expressOf(this).request);
  }
  set request(value) {
    replace(this, 'request', value);
  }

  get response() {
    return replace(this, 'response', expressOf(this).response);
  }
  set response(value) {
    replace(this, 'response', value);
  }

  [Symbol.for('nodejs.util.inspect.custom')](_depth, _options, inspect) {
    const { __function_name, requestId, method, query, body, files, user, headers } = this;
    return `ctx ${inspect({ __function_name, requestId, method, query, body, files, user, headers })}`;
  }
}

function replace(context, name, value) {
  Object.defineProperty(context, name, { value, writable: true, enumerable: true, configurable: true });
  return value;
}

function expressOf(context) {
  const invocation = context[ORIGIN];
  express ??= require('./express.mjs');
  return express.attach(invocation, { body: context.body, files: context.files, user: context.user });
}

/** A context for `cloud.invoke`: what a spread of `ctx` left behind is brought back. */
export function completed(given) {
  const invocation = given?.[ORIGIN];
  if (invocation === undefined || given instanceof Context) return given ?? {};
  for (const name of ['headers', 'request', 'response']) {
    if (Object.hasOwn(given, name)) continue;
    Object.defineProperty(given, name, {
      configurable: true,
      get: () => replace(given, name, invocation.context[name]),
      set: (value) => replace(given, name, value),
    });
  }
  return given;
}

