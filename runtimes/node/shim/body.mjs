// Request bodies as Laf parses them: JSON, forms, raw bytes, XML, multipart. Other types are left as a stream for the function.
// It must never hold more than the app's limit, packed or unpacked.

import { app } from './app.mjs';
import { attach } from './express.mjs';
import { headersOf, parseForm } from './head.mjs';
import { builtInPackage } from './packages.mjs';

const { randomUUID } = process.getBuiltinModule('node:crypto');
const fs = process.getBuiltinModule('node:fs');
const os = process.getBuiltinModule('node:os');
const path = process.getBuiltinModule('node:path');
const zlib = process.getBuiltinModule('node:zlib');
const { promisify } = process.getBuiltinModule('node:util');

const XML = /^(?:text\/xml|application\/(?:[\w!#$%&*`\-.^~]+\+)?xml)$/i;
const UNPACK = { gzip: promisify(zlib.gunzip), deflate: promisify(zlib.inflate), br: promisify(zlib.brotliDecompress), zstd: zlib.zstdDecompress && promisify(zlib.zstdDecompress) };

function refusal(status, message) {
  return Object.assign(new Error(message), { status, expose: true });
}

function tooLarge() {
  return refusal(413, `Payload Too Large: this app takes request bodies of at most ${app.requestBytes} bytes`);
}

/**
 * @returns {Promise<{body: any, files?: any[]}>}
 */
export async function parseBody(invocation) {
  const type = invocation.contentType.split(';', 1)[0].trim().toLowerCase();
  if (type === 'multipart/form-data') return parseMultipart(invocation);
  const parse = parserOf(type);
  if (parse === undefined) return { body: {} };
  const bytes = await unpack(await readAll(invocation.exchange, app.requestBytes), headersOf(invocation.fields)['content-encoding']);
  return { body: bytes.length === 0 ? {} : await parse(bytes) };
}

function parserOf(type) {
  if (type === 'application/json') return parseJson;
  if (type === 'application/x-www-form-urlencoded') return (bytes) => parseForm(bytes.toString());
  if (type === 'application/octet-stream') return (bytes) => bytes;
  return XML.test(type) ? parseXml : undefined;
}

function parseJson(bytes) {
  const text = bytes.toString().replace(/^\uFEFF/, '');
  if (!/^[\x20\x09\x0a\x0d]*[[{]/.test(text)) throw refusal(400, 'Bad Request: a JSON body must be an object or an array');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw refusal(400, `Bad Request: the body is not JSON: ${error.message}`);
  }
}

async function parseXml(bytes) {
  const { parseStringPromise } = builtInPackage('xml2js');
  try {
    return (await parseStringPromise(bytes.toString(), { async: false, explicitArray: true, normalize: false, normalizeTags: true, trim: true })) ?? {};
  } catch (error) {
    throw refusal(400, `Bad Request: the body is not XML: ${error.message.split('\n', 1)[0]}`);
  }
}

async function unpack(bytes, encoding = 'identity') {
  const name = encoding.trim().toLowerCase();
  if (name === 'identity' || name === '' || bytes.length === 0) return bytes;
  const decode = Object.hasOwn(UNPACK, name) ? UNPACK[name] : undefined;
  if (decode === undefined) throw refusal(415, `Unsupported Media Type: content-encoding "${name}" is not known here`);
  try {
    return await decode(bytes, { maxOutputLength: app.requestBytes });
  } catch (error) {
    throw error.code === 'ERR_BUFFER_TOO_LARGE' ? tooLarge() : refusal(400, `Bad Request: the body is not ${name}`);
  }
}

/** The whole body, at most `limit` bytes. */
export function readAll(exchange, limit) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    let size = 0;
    exchange.onAbort(() => reject(Object.assign(new Error('the client went away'), { name: 'AbortError' })));
    exchange.consume({
      data(bytes) {
        size += bytes.length;
        if (size > limit) return reject(tooLarge());
        // A slice of a read buffer would keep all of it alive.
        chunks.push(bytes.length < 16384 ? Buffer.from(bytes) : bytes);
        exchange.taken(bytes.length);
      },
      end: () => resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, size)),
    });
  });
}

let upload;

/** multer's `any()`, as in Laf: files in the temp folder under a fresh name, deleted when the request is over. */
function uploader() {
  if (upload !== undefined) return upload;
  const multer = builtInPackage('multer');
  const destination = path.join(os.tmpdir(), 'uploads');
  fs.mkdirSync(destination, { recursive: true });
  const filename = (_request, file, done) => {
    file.originalname = Buffer.from(file.originalname, 'latin1').toString('utf8');
    done(null, randomUUID() + path.extname(file.originalname).replace(/[^\w.]/g, '').slice(0, 32));
  };
  const storage = multer.diskStorage({ destination: (_request, _file, done) => done(null, destination), filename });
  upload = multer({ storage, limits: { fileSize: app.requestBytes, fieldSize: app.requestBytes, parts: 1000 } }).any();
  return upload;
}

async function parseMultipart(invocation) {
  const { exchange } = invocation;
  const { request, response } = attach(invocation, {}, app.requestBytes);
  const forget = () => {
    for (const file of request.files ?? []) fs.rm(file.path, { force: true }, () => {});
  };
  invocation.onSettled(forget);
  await new Promise((resolve, reject) => {
    exchange.onAbort(() => reject(Object.assign(new Error('the client went away'), { name: 'AbortError' })));
    request.once('toolarge', () => reject(tooLarge()));
    uploader()(request, response, (error) => (error ? reject(refusal(error.code === 'LIMIT_FILE_SIZE' ? 413 : 400, `Bad Request: ${error.message}`)) : resolve()));
  });
  if (exchange.aborted) forget();
  return { body: { ...request.body }, files: request.files };
}
