// Bodies in both directions: uploads, streaming, server-sent events, back-pressure, clients that vanish, the web style.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { Runtime, fn } from './platform.mjs';

const MIB = 1 << 20;

function multipart(parts) {
  const boundary = 'xXbOuNdArYXx';
  const chunks = parts.flatMap(({ name, filename, type, data }) => [
    Buffer.from(`--${boundary}\r\ncontent-disposition: form-data; name="${name}"${filename === undefined ? '' : `; filename="${filename}"`}\r\n${type === undefined ? '' : `content-type: ${type}\r\n`}\r\n`),
    Buffer.from(data),
    Buffer.from('\r\n'),
  ]);
  return { body: Buffer.concat([...chunks, Buffer.from(`--${boundary}--\r\n`)]), headers: [['content-type', `multipart/form-data; boundary=${boundary}`]] };
}

describe('bodies', () => {
  let runtime;
  let wire;
  const ask = (target, more = {}) => wire.request({ target, ...more });
  const pulse = async () => {
    runtime.say({ op: 'ping', seq: 0 });
    await runtime.event('pong');
  };

  before(async () => {
    runtime = await Runtime.start();
    await runtime.load(
      [
        fn('files', 'async function (ctx) { const fs = require("fs"); return { files: ctx.files, body: ctx.body, texts: ctx.files.map((f) => fs.readFileSync(f.path, "utf8")), same: ctx.request.files.length } }'),
        fn('size', 'async function (ctx) { return { size: ctx.body.length } }'),
        fn('upload', 'async function (ctx) { let size = 0; for await (const chunk of ctx.request) size += chunk.length; return { size } }'),
        fn('hold', 'async function (ctx) { globalThis.held = ctx.request; await new Promise((resolve) => { globalThis.letGo = resolve }); let size = 0; for await (const chunk of ctx.request) size += chunk.length; return String(size) }'),
        fn('letgo', 'async function () { globalThis.letGo(); return "ok" }'),
        fn('big', 'async function (ctx) { return Buffer.alloc(Number(ctx.query.size), 97) }'),
        fn('bigtext', 'async function (ctx) { return "é".repeat(Number(ctx.query.size)) }'),
        fn('sse', 'async function (ctx) { const res = ctx.response; res.setHeader("content-type", "text/event-stream"); res.write("data: 1\\n\\n"); setTimeout(() => { res.write("data: 2\\n\\n"); res.end() }, 20) }'),
        fn('piped', 'async function (ctx) { require("stream").Readable.from(["piped ", "later"]).pipe(ctx.response) }'),
        fn('endless', 'async function* (ctx) { globalThis.yielded = 0; try { for (;;) { globalThis.yielded += 1; yield Buffer.alloc(65536) } } finally { globalThis.closed = true } }'),
        fn('state', '() => ({ yielded: globalThis.yielded, closed: globalThis.closed === true, gone: globalThis.gone, signal: globalThis.signal, holding: globalThis.letGo !== undefined })'),
        fn('watch', 'async function (ctx) { globalThis.gone = []; ctx.request.on("close", () => globalThis.gone.push("request")); ctx.response.on("close", () => globalThis.gone.push("response")); ctx.response.write("begun"); await new Promise(() => {}) }'),
        fn('half', 'async function (ctx) { ctx.response.write("half"); await new Promise((resolve) => setTimeout(resolve, 10)); throw new Error("in the middle") }'),
        fn('faucet', 'async function (ctx) { let full = 0; for (let i = 0; i < 64; i += 1) if (!ctx.response.write(Buffer.alloc(65536))) { full += 1; await require("events").once(ctx.response, "drain") } ctx.response.end(); globalThis.yielded = full }'),
        fn('web', '{ async fetch(request, env, context) { const url = new URL(request.url); if (url.searchParams.has("watch")) { globalThis.signal = "watching"; request.signal.addEventListener("abort", () => { globalThis.signal = "aborted" }); await new Promise(() => {}) } return Response.json({ method: request.method, url: request.url, thing: request.headers.get("x-thing"), text: await request.text(), id: context.requestId, appid: env.APPID }, { headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"]] }) } }'),
        fn('webecho', '{ fetch(request) { return new Response(request.body, { status: 207 }) } }'),
        fn('webbad', '{ fetch() { return undefined } }'),
        fn('webstream', '{ fetch() { let i = 0; return new Response(new ReadableStream({ async pull(c) { await new Promise((r) => setTimeout(r, 5)); i += 1; if (i > 3) c.close(); else c.enqueue(new TextEncoder().encode("part" + i)) } })) } }'),
        fn('twice', 'async function (ctx) { ctx.response.send("first"); ctx.response.end("second"); return "third" }'),
        fn('headers', 'async function (ctx) { for (let i = 0; i < 2000; i += 1) ctx.response.setHeader("x-" + i, "v"); return "x" }'),
      ],
      { requestBytes: 4 * MIB },
    );
    wire = await runtime.connect();
  });
  after(() => runtime.stop());

  test('uploaded files are in ctx.files with their names in UTF-8, and deleted after the answer', async () => {
    const form = multipart([
      { name: 'title', data: 'T' },
      { name: 'doc', filename: 'übung.txt', type: 'text/plain', data: 'content of the file' },
    ]);
    const answer = (await ask('/files', { method: 'POST', ...form })).json();
    const [file] = answer.files;
    assert.deepEqual([answer.body, answer.texts, answer.same], [{ title: 'T' }, ['content of the file'], 1]);
    assert.deepEqual([file.fieldname, file.originalname, file.mimetype, file.size], ['doc', 'übung.txt', 'text/plain', 19]);
    assert.match(file.filename, /^[0-9a-f-]{36}\.txt$/);
    while (fs.existsSync(file.path)) await pulse();
  });

  test('a body over the limit is a 413, whatever its type', async () => {
    for (const type of ['application/json', 'application/octet-stream', 'application/x-www-form-urlencoded']) {
      const answer = await ask('/size', { method: 'POST', body: Buffer.alloc(4 * MIB + 1, 32), headers: [['content-type', type]] });
      assert.deepEqual([type, answer.status], [type, 413]);
      assert.match(answer.json().error, /at most 4194304 bytes/);
    }
    const form = multipart([{ name: 'f', filename: 'f', data: Buffer.alloc(4 * MIB + 1) }]);
    assert.equal((await ask('/files', { method: 'POST', ...form })).status, 413);
  });

  test('a body just under the limit passes', async () => {
    const answer = await ask('/size', { method: 'POST', body: Buffer.alloc(4 * MIB, 1), headers: [['content-type', 'application/octet-stream']] });
    assert.deepEqual(answer.json(), { size: 4 * MIB });
  });

  test('a body of another type is a stream of any length', async () => {
    const answer = await ask('/upload', { method: 'POST', body: Buffer.alloc(6 * MIB), headers: [['content-type', 'video/mp4']] });
    assert.deepEqual(answer.json(), { size: 6 * MIB });
  });

  test('a function that does not read gets no more than one window', async () => {
    const stream = wire.open({ target: '/hold', method: 'POST', headers: [['content-type', 'video/mp4']], body: Buffer.alloc(MIB) });
    while (!(await ask('/state')).json().holding) await pulse();
    assert.ok(stream.window >= 0 && stream.window <= 128 << 10, `the window is ${stream.window}`);
    await ask('/letgo');
    assert.equal((await stream.whole()).text, String(MIB));
  });

  test('large answers arrive whole', async () => {
    for (const size of [0, 1, 65000, 65536, 262144, 262145, 3 * MIB]) {
      assert.equal((await ask(`/big?size=${size}`)).body.length, size);
      assert.equal((await ask(`/bigtext?size=${size}`)).body.length, size * 2);
    }
  });

  test('a client that takes nothing gets one window, and the rest when it takes', async () => {
    const stream = wire.open({ target: `/big?size=${MIB}`, autoCredit: false });
    await stream.head();
    await stream.until(() => stream.size === 256 << 10);
    await pulse();
    assert.equal(stream.size, 256 << 10);
    while (stream.size < MIB) {
      const before = stream.size;
      stream.credit(128 << 10);
      await stream.until(() => stream.size > before);
    }
    await stream.until(() => stream.ended);
  });

  test('an endless stream waits for its reader, and ends when the client goes', async () => {
    const stream = wire.open({ target: '/endless', autoCredit: false });
    await stream.until(() => stream.size === 256 << 10);
    await pulse();
    assert.ok((await ask('/state')).json().yielded <= 8);
    stream.cancel();
    let state = {};
    while (!state.closed) state = (await ask('/state')).json();
  });

  test('response.write says when it is full and drains', async () => {
    const answer = await ask('/faucet');
    assert.equal(answer.body.length, 4 * MIB);
    assert.ok((await ask('/state')).json().yielded > 0);
  });

  test('server-sent events arrive as they are written, also when the function has returned', async () => {
    const stream = wire.open({ target: '/sse' });
    await stream.until(() => stream.size > 0);
    assert.deepEqual([stream.body().toString(), stream.ended, stream.response.headers['content-type']], ['data: 1\n\n', false, 'text/event-stream']);
    assert.equal((await stream.whole()).text, 'data: 1\n\ndata: 2\n\n');
  });

  test('a stream piped into the response belongs to the function', async () => {
    assert.equal((await ask('/piped')).text, 'piped later');
  });

  test('a client that vanishes closes request and response, and aborts the signal', async () => {
    const stream = wire.open({ target: '/watch' });
    await stream.until(() => stream.size > 0);
    stream.cancel();
    const web = wire.open({ target: '/web?watch' });
    let state = {};
    while (state.signal !== 'watching') state = (await ask('/state')).json();
    web.cancel();
    while (state.signal !== 'aborted' || state.gone?.length !== 2) state = (await ask('/state')).json();
    assert.deepEqual(state.gone.sort(), ['request', 'response']);
  });

  test('a failure in the middle of an answer resets the stream', async () => {
    const answer = await ask('/half', { requestId: 'half' });
    assert.equal(answer.reset.code, 3);
    await runtime.log((line) => line.requestId === 'half' && line.message.includes('in the middle'));
  });

  test('answering twice sends the first answer and harms nothing', async () => {
    assert.equal((await ask('/twice')).text, 'first');
  });

  test('too many headers are a 500 that says so', async () => {
    assert.equal((await ask('/headers')).status, 500);
    await runtime.log('at most 900 can be sent');
  });

  test('the web style gets a standard Request and answers with a Response', async () => {
    const answer = await ask('/web?q=1', { method: 'POST', body: '{"raw":1}', requestId: 'w1', headers: [['host', 'h.example'], ['x-thing', 'T'], ['x-forwarded-proto', 'https'], ['content-type', 'application/json']] });
    assert.deepEqual(answer.json(), { method: 'POST', url: 'https://h.example/web?q=1', thing: 'T', text: '{"raw":1}', id: 'w1', appid: 'abc123' });
    assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2']);
    assert.equal((await ask('/webbad')).status, 500);
    assert.equal((await ask('/webstream')).text, 'part1part2part3');
  });

  test('the web style streams in both directions at once', async () => {
    const stream = wire.open({ target: '/webecho', method: 'POST', streaming: true });
    stream.data('one');
    await stream.until(() => stream.body().toString() === 'one');
    assert.equal(stream.response.status, 207);
    stream.data('two');
    stream.end();
    assert.equal((await stream.whole()).text, 'onetwo');
  });
});
