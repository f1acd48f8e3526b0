// The two protocols themselves: hostile and broken frames, many streams, draining, logs, stacks, limits.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Runtime, TYPE, body, fn, frame, requestPayload, windowPayload } from './platform.mjs';

describe('the wire', () => {
  let runtime;
  beforeEach(async () => {
    runtime = await Runtime.start();
    await runtime.load([
      fn('f', '(ctx) => ({ n: ctx.query.n })'),
      fn('wait', 'async () => { await new Promise((resolve) => { globalThis.go = resolve }); return "waited" }'),
      fn('go', 'async () => { globalThis.go(); return "gone" }'),
      fn('spam', 'async (ctx) => { for (let i = 0; i < Number(ctx.query.n); i += 1) console.log("x".repeat(Number(ctx.query.size)), i); return "ok" }'),
      fn('levels', 'async () => { console.debug("d"); console.info("i %s", "x"); console.log({ a: { b: { c: { d: 1 } } } }); console.warn("w"); console.error(new Error("e")); console.table([{ t: 1 }]); process.stdout.write("raw\\n"); await null; setTimeout(() => console.log("from a timer")) }'),
      { name: 'mapped', code: body('async function f() { throw new Error("here") }', { default: 'f' }), map: JSON.stringify({ version: 3, sources: ['mapped.ts'], names: [], mappings: 'AASU', sourcesContent: ['…'] }) },
    ]);
  });
  afterEach(() => runtime.stop());

  test('a broken frame closes its connection and nothing else', async () => {
    const payload = requestPayload({ target: '/f' });
    const rows = [
      frame(99, 1),
      frame(TYPE.RESPONSE, 1),
      frame(TYPE.GOAWAY, 0),
      Buffer.from([255, 255, 255, 255, 1, 1, 0, 0, 0]),
      frame(TYPE.REQUEST, 1, Buffer.alloc(70_000, 97)),
      frame(TYPE.REQUEST, 1, Buffer.from([1])),
      frame(TYPE.REQUEST, 1, Buffer.from('\x01GET\n/f\nid')),
      frame(TYPE.REQUEST, 1, Buffer.from('\x01GET\n/f\nid\nip\n0\n\nlonely')),
      Buffer.concat([frame(TYPE.REQUEST, 1, requestPayload({ target: '/wait' })), frame(TYPE.REQUEST, 1, payload)]),
      Buffer.concat([frame(TYPE.REQUEST, 1, requestPayload({ target: '/wait' })), frame(TYPE.WINDOW, 1, Buffer.alloc(3))]),
      Buffer.concat([frame(TYPE.REQUEST, 1, requestPayload({ target: '/wait', flags: 0 })), ...Array.from({ length: 5 }, () => frame(TYPE.DATA, 1, Buffer.alloc(65536)))]),
      Buffer.concat([frame(TYPE.REQUEST, 1, requestPayload({ target: '/wait', flags: 0 })), frame(TYPE.END, 1), frame(TYPE.DATA, 1, Buffer.from('x'))]),
      Buffer.concat([frame(TYPE.REQUEST, 1, requestPayload({ target: '/wait' })), ...Array.from({ length: 3 }, () => frame(TYPE.WINDOW, 1, windowPayload(0x7fffffff)))]),
    ];
    const good = await runtime.connect();
    for (const bytes of rows) {
      const bad = await runtime.connect();
      bad.socket.write(bytes);
      await bad.closed;
      assert.deepEqual((await good.request({ target: '/f?n=1' })).json(), { n: '1' });
    }
  });

  test('frames for streams that are over are ignored', async () => {
    const wire = await runtime.connect();
    await wire.request({ target: '/f' });
    for (const bytes of [frame(TYPE.DATA, 1, Buffer.from('late')), frame(TYPE.END, 1), frame(TYPE.WINDOW, 1, windowPayload(5)), frame(TYPE.RESET, 1, windowPayload(1)), frame(TYPE.DATA, 77, Buffer.from('x'))]) wire.socket.write(bytes);
    assert.equal((await wire.request({ target: '/f?n=2' })).text, '{"n":"2"}');
  });

  test('frames may come byte by byte', async () => {
    const wire = await runtime.connect();
    const id = wire.next;
    wire.next += 2;
    const bytes = frame(TYPE.REQUEST, id, requestPayload({ target: '/f?n=slow' }));
    const answer = new Promise((resolve) => wire.streams.set(id, { take: (_type, payload) => resolve(payload.toString()) }));
    for (const byte of bytes) {
      wire.socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.match(await answer, /\{"n":"slow"\}$/);
  });

  test('thousands of requests in flight are all answered, each with its own', async () => {
    const wire = await runtime.connect();
    const answers = await Promise.all(Array.from({ length: 3000 }, (_, n) => wire.request({ target: `/f?n=${n}` })));
    answers.forEach((answer, n) => assert.equal(answer.text, `{"n":"${n}"}`));
  });

  test('more than 4,096 open streams are refused one by one', async () => {
    const wire = await runtime.connect();
    const open = Array.from({ length: 4096 }, () => wire.open({ target: '/wait' }));
    const refused = await wire.request({ target: '/f' });
    assert.equal(refused.reset.code, 4);
    for (const stream of open.slice(0, 10)) stream.cancel();
    assert.equal((await wire.request({ target: '/f?n=5' })).text, '{"n":"5"}');
  });

  test('draining answers what runs, takes nothing new, and ends with exit 0', async () => {
    const wire = await runtime.connect();
    const running = wire.open({ target: '/wait' });
    await wire.request({ target: '/f' });
    runtime.say({ op: 'drain' });
    await new Promise((resolve) => {
      const look = () => (wire.goaway ? resolve() : setImmediate(look));
      look();
    });
    assert.equal((await wire.request({ target: '/f' })).reset.code, 4);
    running.cancel();
    await runtime.event('drained');
    assert.deepEqual(await runtime.exited, [0, null]);
  });

  test('when the engine goes the runtime goes', async () => {
    runtime.control.destroy();
    await runtime.exited;
  });

  test('a ping is answered', async () => {
    runtime.say({ op: 'ping', seq: 41 });
    const pong = await runtime.event('pong');
    assert.equal(pong.seq, 41);
    assert.ok(pong.lagMs >= 0 && pong.heapMb > 0);
  });

  test('the environment is replaced live', async () => {
    await runtime.publish(fn('env', '() => ({ a: process.env.A, b: process.env.B, id: process.env.APPID, home: process.env.HOME, proxy: process.env.HTTP_PROXY })'));
    const wire = await runtime.connect();
    runtime.say({ op: 'environment', env: { A: '1' } });
    runtime.say({ op: 'environment', env: { B: '2', APPID: 'forged' } });
    runtime.say({ op: 'ping', seq: 1 });
    await runtime.event('pong');
    assert.deepEqual((await wire.request({ target: '/env' })).json(), { b: '2', id: 'abc123', home: '/tmp' });
  });

  test('console becomes records with function, version, request id and level', async () => {
    const wire = await runtime.connect();
    await wire.request({ target: '/levels', requestId: 'lv' });
    await runtime.log('from a timer');
    const lines = runtime.logs.filter((line) => line.requestId === 'lv');
    assert.deepEqual(lines.map((line) => line.level), ['debug', 'info', 'info', 'warn', 'error', 'info', 'info', 'info']);
    assert.ok(lines.every((line) => line.function === 'levels' && line.version === 1));
    assert.deepEqual([lines[1].message, lines[2].message, lines[6].message], ['i x', '{ a: { b: { c: [Object] } } }', 'raw']);
  });

  test('LOG_LEVEL silences what is below it', async () => {
    runtime.say({ op: 'environment', env: { LOG_LEVEL: 'warn' } });
    const wire = await runtime.connect();
    await wire.request({ target: '/levels', requestId: 'quiet' });
    assert.deepEqual((await runtime.log((line) => line.requestId === 'quiet')).level, 'warn');
  });

  test('a long message is cut and marked, and fits into a line', async () => {
    const wire = await runtime.connect();
    await wire.request({ target: '/spam?n=1&size=100000', requestId: 'long' });
    const line = await runtime.log((one) => one.requestId === 'long');
    assert.ok(Buffer.byteLength(line.message) <= 16 << 10);
    assert.match(line.message, /… \[cut: 100002 bytes\]$/);
  });

  test('a flood of logs is dropped and counted while the engine does not read', async () => {
    runtime.control.pause();
    const wire = await runtime.connect();
    await wire.request({ target: '/spam?n=5000&size=1000' });
    runtime.control.resume();
    const line = await runtime.log('log records were dropped');
    const dropped = Number.parseInt(line.message, 10);
    assert.ok(dropped > 1000 && dropped < 5000);
  });

  test("a stack shows the author's own line", async () => {
    const wire = await runtime.connect();
    await wire.request({ target: '/mapped', requestId: 'map' });
    const line = await runtime.log((one) => one.requestId === 'map');
    assert.match(line.message, /Error: here\n\s+at f \(mapped\.ts:10:\d+\)/);
    assert.doesNotMatch(line.message, /shim|node:internal/);
  });
});
