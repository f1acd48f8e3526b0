// What a function returned becomes an answer: Laf's rules (Express's res.send), and streams and standard Responses on top.
// An answer that the function has begun itself is its own: nothing is added to it.

const JSON_TYPE = 'application/json; charset=utf-8';
const HTML_TYPE = 'text/html; charset=utf-8';
const TEXT_TYPE = 'text/plain; charset=utf-8';
const BYTES_TYPE = 'application/octet-stream';
const MAX_HEAD = 60 << 10;
const MAX_HEADERS = 900;
const UNSENT = new Set(['connection', 'transfer-encoding', 'keep-alive', 'upgrade', 'proxy-connection']);
// biome-ignore lint: control characters are what this looks for
const BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/** The head of an answer: who answered, the request id, a content type. */
function head(invocation, contentType) {
  const base = `${invocation.origin}\nrequest-id\n${invocation.requestId}`;
  const more = invocation.debugHead === undefined ? '' : invocation.debugHead();
  return contentType === '' ? base + more : `${base}${more}\ncontent-type\n${contentType}`;
}

function send(invocation, status, contentType, body) {
  const { exchange } = invocation;
  if (invocation.fields[0] !== 'HEAD') return exchange.answerText(status, head(invocation, contentType), body);
  return exchange.answerText(status, `${head(invocation, contentType)}\ncontent-length\n${Buffer.byteLength(body)}`, '');
}

function sendBytes(invocation, contentType, bytes) {
  const { exchange } = invocation;
  if (invocation.fields[0] !== 'HEAD') return exchange.answerBytes(200, head(invocation, contentType), bytes);
  return exchange.answerText(200, `${head(invocation, contentType)}\ncontent-length\n${bytes.length}`, '');
}

/** A text answer of the runtime itself. */
export function answerPlain(invocation, status, text) {
  send(invocation, status, HTML_TYPE, text);
}

/** A JSON answer of the runtime itself. `failed` drops what the function had prepared. */
export function answerJson(invocation, status, value) {
  invocation.express?.discard();
  send(invocation, status, JSON_TYPE, JSON.stringify(value));
}

/** Answers with what a function returned. A promise when it takes time. */
export function answer(invocation, value) {
  if (invocation.express !== undefined) return invocation.express.answer(value);
  if (invocation.exchange.responded) return undefined;
  switch (typeof value) {
    case 'string':
      return send(invocation, 200, HTML_TYPE, value);
    case 'object':
      return answerObject(invocation, value);
    case 'undefined':
      return send(invocation, 200, '', '');
    case 'boolean':
      return send(invocation, 200, JSON_TYPE, value ? 'true' : 'false');
    case 'number':
    case 'bigint':
      return send(invocation, 200, HTML_TYPE, String(value));
    default:
      throw new TypeError(`The function returned a ${typeof value}, which cannot be sent. Return text, bytes, an object, a stream or a Response.`);
  }
}

function answerObject(invocation, value) {
  if (value === null) return send(invocation, 200, '', '');
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === Array.prototype) return send(invocation, 200, JSON_TYPE, JSON.stringify(value) ?? '');
  const bytes = asBytes(value);
  if (bytes !== undefined) return sendBytes(invocation, BYTES_TYPE, bytes);
  if (isResponse(value)) return answerResponse(invocation, value);
  if (isStream(value)) return stream(invocation, 200, undefined, value);
  return send(invocation, 200, JSON_TYPE, JSON.stringify(value) ?? '');
}

/** The bytes of a buffer or a view of one. */
export function asBytes(value) {
  if (Buffer.isBuffer(value)) return value;
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return value instanceof ArrayBuffer || value instanceof SharedArrayBuffer ? Buffer.from(value) : undefined;
}

export function isStream(value) {
  return typeof value?.[Symbol.asyncIterator] === 'function' || (typeof value?.stream === 'function' && typeof value.arrayBuffer === 'function');
}

export function isResponse(value) {
  return value?.[Symbol.toStringTag] === 'Response' && typeof value.status === 'number' && typeof value.headers?.forEach === 'function';
}

/** Header pairs as text for the wire. Throws when they cannot be sent. */
export function headerText(pairs) {
  if (pairs.length > MAX_HEADERS) throw new RangeError(`The function set ${pairs.length} response headers; at most ${MAX_HEADERS} can be sent.`);
  let text = '';
  for (const [name, value] of pairs) {
    const lower = name.toLowerCase();
    if (UNSENT.has(lower)) continue;
    if (BAD_VALUE.test(value)) throw new TypeError(`The response header "${lower}" holds a character that no header may hold.`);
    text += `\n${lower}\n${value}`;
  }
  if (text.length > MAX_HEAD) throw new RangeError(`The response headers are ${text.length} bytes long; at most ${MAX_HEAD} can be sent.`);
  return text;
}

/** A head with the function's own headers. */
export function fullHead(invocation, pairs) {
  const own = pairs.filter(([name]) => name.toLowerCase() !== 'request-id');
  return head(invocation, '') + headerText(own);
}

async function answerResponse(invocation, response) {
  const pairs = [...response.headers];
  if (invocation.fields[0] === 'HEAD' || response.body === null) {
    await response.body?.cancel();
    return invocation.exchange.answerText(response.status, fullHead(invocation, pairs), '');
  }
  return stream(invocation, response.status, pairs, response.body);
}

/** Chunk by chunk, no faster than they are taken. A source that ends at once is sent whole. */
async function stream(invocation, status, pairs, source) {
  const { exchange } = invocation;
  const chunks = (typeof source.stream === 'function' && source[Symbol.asyncIterator] === undefined ? source.stream() : source)[Symbol.asyncIterator]();
  exchange.onAbort(() => void Promise.resolve(chunks.return?.()).catch(() => {}));
  const first = await early(chunks.next());
  const known = first.early ? await first.pending : undefined;
  const types = pairs ?? [['content-type', typeof known?.value === 'string' ? TEXT_TYPE : known === undefined ? TEXT_TYPE : BYTES_TYPE]];
  const text = fullHead(invocation, types);
  if (known?.done === true) return exchange.answerText(status, text, '');
  if (invocation.fields[0] === 'HEAD') {
    await chunks.return?.();
    return exchange.answerText(status, text, '');
  }
  return known === undefined ? pour(exchange, status, text, chunks, first.pending) : pourFrom(exchange, status, text, chunks, known);
}

/** Whether a promise settles before the next turn of the event loop. */
function early(pending) {
  const promise = Promise.resolve(pending);
  return new Promise((resolve, reject) => {
    promise.then(() => resolve({ early: true, pending: promise }), reject);
    setImmediate(() => resolve({ early: false, pending: promise }));
  });
}

async function pourFrom(exchange, status, text, chunks, known) {
  const second = await early(chunks.next());
  if (second.early && (await second.pending).done) return exchange.answerBytes(status, text, chunkBytes(known.value));
  exchange.begin(status, text);
  await take(exchange, known.value);
  return pour(exchange, status, text, chunks, second.pending);
}

async function pour(exchange, status, text, chunks, pending) {
  exchange.begin(status, text);
  exchange.onAbort(() => exchange.onDrain?.());
  for (let next = await pending; next.done !== true; next = await chunks.next()) {
    if (exchange.aborted) return;
    await take(exchange, next.value);
  }
  exchange.end();
}

function chunkBytes(value) {
  if (typeof value === 'string') return Buffer.from(value);
  const bytes = asBytes(value);
  if (bytes === undefined) throw new TypeError(`A stream yielded a ${typeof value}; only text and bytes can be sent.`);
  return bytes;
}

/** Sends one chunk and waits until the next one is welcome. */
function take(exchange, value) {
  if (exchange.write(chunkBytes(value)) || exchange.aborted) return undefined;
  return new Promise((resolve) => {
    exchange.onDrain = () => {
      exchange.onDrain = undefined;
      resolve();
    };
  });
}
