// The web style: `export default { fetch(request, env, context) }` with standard Request and Response, streaming both ways.

import { ORIGIN } from './context.mjs';
import { emit } from './console.mjs';
import { describe } from './errors.mjs';

const BODILESS = new Set(['GET', 'HEAD']);
const FIRST_HEADER = 6;

/** Calls a web-style function for a `ctx`. */
export async function callFetch(entry, context) {
  const invocation = context?.[ORIGIN];
  if (invocation === undefined) throw new Error('A function of the web style can only be called by a request, not with cloud.invoke.');
  const request = makeRequest(invocation);
  const { name, version } = invocation.module;
  const waitUntil = (promise) => void Promise.resolve(promise).catch((error) => emit('error', name, version, `waitUntil: ${describe(error)}`));
  const response = await entry.fetch(request, process.env, { waitUntil, requestId: invocation.requestId, passThroughOnException() {} });
  if (response === undefined || response === null) throw new Error(`fetch() of the function "${name}" returned nothing. Return a Response.`);
  return response;
}

function makeRequest(invocation) {
  const { exchange, fields } = invocation;
  const headers = new Headers();
  let host = 'localhost';
  let proto = 'http';
  for (let i = FIRST_HEADER; i < fields.length; i += 2) {
    const name = fields[i];
    if (name === 'host') host = fields[i + 1];
    else if (name === 'x-forwarded-proto') proto = fields[i + 1];
    headers.append(name, fields[i + 1]);
  }
  const abort = new AbortController();
  exchange.onAbort(() => abort.abort());
  const bodiless = BODILESS.has(fields[0]) || !exchange.hasBody;
  const body = bodiless ? undefined : streamOf(exchange);
  const url = `${proto === 'https' ? 'https' : 'http'}://${host}${fields[1]}`;
  return new Request(URL.canParse(url) ? url : `http://localhost${fields[1]}`, { method: fields[0], headers, body, duplex: 'half', signal: abort.signal });
}

/** The body as a byte stream that takes no more than its reader does. */
function streamOf(exchange) {
  let held = 0;
  return new ReadableStream({
    start(controller) {
      let open = true;
      exchange.onAbort(() => {
        if (open) controller.error(new DOMException('The client went away.', 'AbortError'));
        open = false;
      });
      exchange.consume({
        data(bytes) {
          held += bytes.length;
          if (open) controller.enqueue(new Uint8Array(bytes));
        },
        end() {
          if (open) controller.close();
          open = false;
        },
      });
    },
    pull() {
      const taken = held;
      held = 0;
      if (taken > 0) exchange.taken(taken);
    },
  });
}
