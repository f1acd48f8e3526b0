// The function contract of Laf, sections 1 and 2: what functions are given and what becomes of what they return.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import zlib from 'node:zlib';
import { createHmac } from 'node:crypto';
import { Runtime, body, fn } from './platform.mjs';

const SECRET = 'top-secret';

function jwt(payload, secret = SECRET, alg = 'HS256') {
  const text = [{ alg, typ: 'JWT' }, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

const returning = (name, expression, more) => fn(name, `async function (ctx) { return ${expression} }`, more);

describe('functions', () => {
  let runtime;
  let wire;
  const ask = (target, more = {}) => wire.request({ target, ...more });

  before(async () => {
    runtime = await Runtime.start();
    await runtime.load([
      returning('object', '{ a: 1 }'),
      returning('array', '[1, 2]'),
      returning('text', '"héllo"'),
      returning('number', '42'),
      returning('null', 'null'),
      returning('nothing', 'undefined'),
      returning('yes', 'true'),
      returning('buffer', 'Buffer.from([0, 255, 7])'),
      returning('bytes', 'new Uint8Array([1, 2, 3])'),
      returning('symbol', 'Symbol("x")'),
      returning('circle', '(() => { const a = {}; a.a = a; return a })()'),
      returning('response', 'new Response("made", { status: 201, headers: { "x-kind": "standard", "content-type": "text/css" } })'),
      returning('generator', '(async function* () { yield "a"; yield "b"; yield Buffer.from("c") })()'),
      returning('webstream', 'new Blob(["streamed"]).stream()'),
      returning('echo', '{ name: ctx.__function_name, id: ctx.requestId, method: ctx.method, query: ctx.query, body: ctx.body, user: ctx.user, files: ctx.files, headers: ctx.headers }'),
      returning('a/b.c-d_e', '"nested"'),
      returning('getonly', '"got"', { methods: ['GET'] }),
      { name: 'main', code: body('async function main(ctx) { return "from main" }', { main: 'main' }) },
      { name: 'empty', code: body('', { other: '1' }) },
      fn('sync', '(ctx) => ({ sync: true })'),
      returning('cookies', '(ctx.response.setHeader("set-cookie", ["a=1", "b=2"]), ctx.response.status(202), { ok: 1 })'),
      fn('send', 'async function (ctx) { ctx.response.type("text/plain").send("sent"); return "ignored" }'),
      fn('redirect', 'async function (ctx) { ctx.response.redirect("/elsewhere") }'),
      returning('express', '{ ip: ctx.request.ip, get: ctx.request.get("X-Thing"), path: ctx.request.path, q: ctx.request.query, body: ctx.request.body, host: ctx.request.hostname, secure: ctx.request.secure, instance: ctx.request instanceof require("http").IncomingMessage }'),
      fn('badheader', 'async function (ctx) { ctx.response.setHeader("x", "a\\nb") }'),
      fn('boom', 'async function (ctx) { throw new Error("on purpose") }'),
      fn('throwtext', 'async function (ctx) { throw "just text" }'),
      fn('late', 'async function (ctx) { setTimeout(() => { throw new Error("thrown later") }, 1); Promise.reject(new Error("nobody caught")); return "fine" }'),
      fn('quit', 'async function (ctx) { process.exit(3) }'),
      returning('spread', '({ ...ctx }).query'),
      fn('globals', 'async function () { return ["fetch","URL","URLSearchParams","TextEncoder","AbortController","crypto","FormData","structuredClone","WebSocket","ObjectId","Buffer","global"].filter((name) => typeof globalThis[name] === "undefined") }'),
    ]);
    wire = await runtime.connect();
  });
  after(() => runtime.stop());

  test('an object is sent as JSON', async () => {
    const answer = await ask('/object');
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8');
    assert.deepEqual(answer.json(), { a: 1 });
    assert.equal(answer.function, 'object');
    assert.equal(answer.version, '1');
  });

  test('every kind of value has its answer', async () => {
    const rows = [
      ['array', '[1,2]', 'application/json; charset=utf-8'],
      ['text', 'héllo', 'text/html; charset=utf-8'],
      ['number', '42', 'text/html; charset=utf-8'],
      ['null', '', undefined],
      ['nothing', '', undefined],
      ['yes', 'true', 'application/json; charset=utf-8'],
      ['buffer', Buffer.from([0, 255, 7]).toString(), 'application/octet-stream'],
      ['bytes', '\x01\x02\x03', 'application/octet-stream'],
      ['generator', 'abc', 'text/plain; charset=utf-8'],
      ['webstream', 'streamed', 'application/octet-stream'],
      ['main', 'from main', 'text/html; charset=utf-8'],
      ['sync', '{"sync":true}', 'application/json; charset=utf-8'],
    ];
    for (const [name, text, type] of rows) {
      const answer = await ask(`/${name}`);
      assert.deepEqual([name, answer.status, answer.text, answer.headers['content-type']], [name, 200, text, type]);
    }
  });

  test('a standard Response keeps its status and headers', async () => {
    const answer = await ask('/response');
    assert.deepEqual([answer.status, answer.text, answer.headers['x-kind'], answer.headers['content-type']], [201, 'made', 'standard', 'text/css']);
  });

  test('a value that cannot be sent is a 500 that says why in the log', async () => {
    for (const name of ['symbol', 'circle', 'empty', 'badheader']) {
      const answer = await ask(`/${name}`, { requestId: `bad-${name}` });
      assert.equal(answer.status, 500);
      assert.deepEqual(answer.json(), { error: 'Internal Server Error', requestId: `bad-${name}` });
      await runtime.log((line) => line.requestId === `bad-${name}` && line.level === 'error' && line.function === name);
    }
  });

  test('ctx holds what Laf says', async () => {
    const answer = await ask('/echo?a=1&b=x%20y&c[]=1&c[]=2&d[k]=v&e&f=1&f=2', { requestId: 'id-7', headers: [['x-thing', 'T'], ['x-forwarded-for', '9.9.9.9'], ['cookie', 'a=1'], ['cookie', 'b=2'], ['x-two', '1'], ['x-two', '2']] });
    const ctx = answer.json();
    assert.deepEqual(ctx.query, { a: '1', b: 'x y', c: ['1', '2'], d: { k: 'v' }, e: '', f: ['1', '2'] });
    assert.deepEqual([ctx.name, ctx.id, ctx.method, ctx.user, ctx.files, ctx.body], ['echo', 'id-7', 'GET', null, [], {}]);
    assert.deepEqual(ctx.headers, { 'x-thing': 'T', 'x-forwarded-for': '9.9.9.9', cookie: 'a=1; b=2', 'x-two': '1, 2', 'x-real-ip': '9.9.9.9' });
  });

  test('the request id is in every answer', async () => {
    for (const target of ['/object', '/nope', '/boom', '/cookies', '/_/healthz', '/response']) {
      assert.equal((await ask(target, { requestId: `id${target}` })).headers['request-id'], `id${target}`);
    }
  });

  test('bodies are parsed by their type', async () => {
    const rows = [
      ['application/json', '{"a":[1]}', { a: [1] }],
      ['application/json; charset=utf-8', '[1]', [1]],
      ['application/json', '', {}],
      ['application/x-www-form-urlencoded', 'a=1&b[c]=2', { a: '1', b: { c: '2' } }],
      ['application/xml', '<Root><Item>1</Item></Root>', { root: { item: ['1'] } }],
      ['text/plain', 'left alone', {}],
      ['application/octet-stream', 'AB', { type: 'Buffer', data: [65, 66] }],
    ];
    for (const [type, text, expected] of rows) {
      const answer = await ask('/echo', { method: 'POST', body: text, headers: [['content-type', type]] });
      assert.deepEqual([type, answer.json().body], [type, expected]);
    }
  });

  test('a compressed body is unpacked', async () => {
    const answer = await ask('/echo', { method: 'POST', body: zlib.gzipSync('{"z":1}'), headers: [['content-type', 'application/json'], ['content-encoding', 'gzip']] });
    assert.deepEqual(answer.json().body, { z: 1 });
  });

  test('a body that is not what it says is a 400', async () => {
    for (const [type, text] of [['application/json', '{"a":'], ['application/json', '"text"'], ['application/xml', '<a>'], ['multipart/form-data', 'x']]) {
      const answer = await ask('/echo', { method: 'POST', body: text, headers: [['content-type', type]] });
      assert.deepEqual([type, answer.status], [type, 400]);
      assert.match(answer.json().error, /^Bad Request: /);
    }
  });

  test('the user of a valid token is in ctx, of any other it is null', async () => {
    const now = Math.floor(Date.now() / 1000);
    const rows = [
      [jwt({ uid: 7, exp: now + 60 }), { uid: 7, exp: now + 60 }],
      [jwt({ uid: 7, exp: now - 1 }), null],
      [jwt({ uid: 7, nbf: now + 60 }), null],
      [jwt({ uid: 7 }, 'other-secret'), null],
      [jwt({ uid: 7 }, SECRET, 'none'), null],
      [`${jwt({ uid: 7 }).split('.').slice(0, 2).join('.')}.`, null],
      ['rubbish', null],
    ];
    for (const [token, user] of rows) {
      const answer = await ask('/echo', { headers: [['authorization', `Bearer ${token}`]] });
      assert.deepEqual(answer.json().user, user);
    }
  });

  test('names are paths, percent-decoded', async () => {
    assert.equal((await ask('/a/b.c-d_e?x')).text, 'nested');
    assert.equal((await ask('/a%2Fb.c-d_e')).text, 'nested');
    assert.equal((await ask('/%E0%A4%A')).status, 404);
  });

  test('an unknown name is 404 Function Not Found', async () => {
    const answer = await ask('/nope');
    assert.deepEqual([answer.status, answer.text], [404, 'Function Not Found']);
    assert.equal((await ask('/')).status, 404);
  });

  test('a policy of a database proxy is not found, for there is none', async () => {
    const answer = await ask('/proxy/app', { method: 'POST', body: '{}', headers: [['content-type', 'application/json']] });
    assert.deepEqual([answer.status, answer.text], [404, 'Policy Not Found']);
  });

  test('a name over 256 characters is a 500 that says so', async () => {
    const answer = await ask(`/${'n'.repeat(257)}`);
    assert.deepEqual([answer.status, answer.text], [500, 'function name is too long']);
  });

  test('a method that is not allowed is 405 unless a trigger calls', async () => {
    const refused = await ask('/getonly', { method: 'POST' });
    assert.deepEqual([refused.status, refused.text], [405, 'Method Not Allowed']);
    assert.equal((await ask('/getonly', { method: 'POST', headers: [['x-laf-trigger-token', jwt({ type: 'trigger' })]] })).text, 'got');
    assert.equal((await ask('/getonly', { method: 'POST', headers: [['x-laf-trigger-token', jwt({ type: 'develop' })]] })).status, 405);
  });

  test('HEAD has the headers and no body', async () => {
    const answer = await ask('/object', { method: 'HEAD' });
    assert.deepEqual([answer.status, answer.text, answer.headers['content-length']], [200, '', '7']);
  });

  test('what the function set on the response is kept', async () => {
    const answer = await ask('/cookies');
    assert.deepEqual([answer.status, answer.headers['set-cookie'], answer.json()], [202, ['a=1', 'b=2'], { ok: 1 }]);
  });

  test('an answer that the function has sent itself is its own', async () => {
    const answer = await ask('/send');
    assert.deepEqual([answer.text, answer.headers['content-type']], ['sent', 'text/plain; charset=utf-8']);
    const moved = await ask('/redirect');
    assert.deepEqual([moved.status, moved.headers.location], [302, '/elsewhere']);
  });

  test('ctx.request is a real Express request', async () => {
    const headers = [['host', 'app.example:7070'], ['x-thing', 'T'], ['x-forwarded-for', '9.8.7.6'], ['x-forwarded-proto', 'https'], ['content-type', 'application/json']];
    const answer = await ask('/express?a=1', { method: 'POST', body: '{"b":2}', headers });
    assert.deepEqual(answer.json(), { ip: '9.8.7.6', get: 'T', path: '/express', q: { a: '1' }, body: { b: 2 }, host: 'app.example', secure: true, instance: true });
  });

  test('a spread of ctx keeps its data', async () => {
    assert.deepEqual((await ask('/spread?k=v')).json(), { k: 'v' });
  });

  test('no global of a current Node is missing', async () => {
    assert.deepEqual((await ask('/globals')).json(), []);
  });

  test('an exception is a 500 and a log record with function, version and request id', async () => {
    const answer = await ask('/boom', { requestId: 'boom-1' });
    assert.deepEqual([answer.status, answer.json()], [500, { error: 'Internal Server Error', requestId: 'boom-1' }]);
    const line = await runtime.log((one) => one.requestId === 'boom-1');
    assert.match(line.message, /on purpose/);
    assert.deepEqual([line.level, line.function, line.version], ['error', 'boom', 1]);
    assert.equal((await ask('/throwtext')).status, 500);
    await runtime.log("Thrown value: 'just text'");
  });

  test('an exception after the answer and a rejected promise are logged, never fatal', async () => {
    assert.equal((await ask('/late', { requestId: 'late-1' })).text, 'fine');
    const thrown = await runtime.log('thrown later');
    const rejected = await runtime.log('nobody caught');
    assert.deepEqual([thrown.function, rejected.function, rejected.level], ['late', 'late', 'error']);
    assert.equal((await ask('/object')).status, 200);
  });

  test('process.exit ends the call and not the process', async () => {
    assert.equal((await ask('/quit')).status, 500);
    assert.equal((await runtime.log('process.exit() does nothing')).function, 'quit');
    assert.equal((await ask('/object')).status, 200);
  });
});
