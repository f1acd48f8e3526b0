// What stands beside plain calls: WebSockets, the SDK, the way out of the sandbox, debug runs, the paths under /_/.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { createRequire } from 'node:module';
import net from 'node:net';
import { Duplex } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import zlib from 'node:zlib';
import { Runtime, body, fn } from './platform.mjs';

const { WebSocket } = createRequire(`${process.env.DARTER_RUNTIME_MODULES}/`)('ws');

function jwt(payload, secret = 'top-secret') {
  const text = [{ alg: 'HS256', typ: 'JWT' }, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

const sdk = (name, expression, more = {}) => ({ name, code: body(`const cloud = (await __import("@lafjs/cloud")).default;async function main(ctx) { return ${expression} }`, { default: 'main' }), ...more });

/** A proxy that knows CONNECT and nothing else, and where every name leads to. */
async function startProxy(targetPort) {
  const asked = [];
  const proxy = http.createServer((_request, response) => response.writeHead(501).end());
  proxy.on('connect', (request, socket, head) => {
    asked.push(request.url);
    socket.on('error', () => {});
    if (request.url.startsWith('forbidden')) return socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    const out = net.connect(targetPort, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      out.write(head);
      out.pipe(socket).pipe(out);
    });
    out.on('error', () => socket.destroy());
    return undefined;
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return { asked, port: proxy.address().port, close: () => (proxy.closeAllConnections(), proxy.close()) };
}

describe('services', () => {
  let runtime;
  let wire;
  let target;
  let proxy;
  const ask = (path, more = {}) => wire.request({ target: path, ...more });

  before(async () => {
    target = http.createServer((request, response) => response.end(`reached ${request.headers.host} ${request.url}`));
    target.listen(0, '127.0.0.1');
    await once(target, 'listening');
    proxy = await startProxy(target.address().port);
    runtime = await Runtime.start({ env: { HTTP_PROXY: `http://127.0.0.1:${proxy.port}`, HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` } });
    await runtime.load([
      sdk('identity', '({ appid: cloud.appid, env: cloud.env.APPID, shared: cloud.shared instanceof Map, sockets: cloud.sockets.size })'),
      sdk('invoke', 'await cloud.invoke("target", { body: { a: 1 } })'),
      sdk('invokespread', 'await cloud.invoke("target", { ...ctx, body: "spread" })'),
      sdk('invokenone', 'await cloud.invoke("nobody", {})'),
      fn('target', 'async (ctx) => ({ id: ctx.requestId, method: ctx.method, body: ctx.body, host: ctx.headers?.host })'),
      sdk('token', '({ own: cloud.parseToken(cloud.getToken({ u: 1 })).u, custom: cloud.parseToken(cloud.getToken({ u: 2 }, "s"), "s").u, crossed: cloud.parseToken(cloud.getToken({ u: 3 }, "s")), bad: cloud.parseToken("x.y.z"), lib: require("jsonwebtoken").verify(cloud.getToken({ u: 4 }), "top-secret").u })'),
      sdk('mongo', 'cloud.mongo.db'),
      sdk('database', 'cloud.database()'),
      sdk('storage', 'cloud.storage.bucket("b").readFile("k")'),
      sdk('storageset', '(process.env.OSS_ACCESS_KEY = "a", process.env.OSS_ACCESS_SECRET = "b", process.env.OSS_EXTERNAL_ENDPOINT = "http://oss.example", { name: cloud.storage.bucket("b").name, url: cloud.storage.bucket("b").externalUrl("d/k"), signed: await cloud.storage.bucket("b").getDownloadUrl("k") })'),
      sdk('mongoset', '(process.env.DB_URI = "mongodb://db.example/shop", { name: cloud.mongo.db.databaseName, ql: typeof cloud.database().collection })'),
      fn('fetch', 'async (ctx) => (await fetch(ctx.query.url)).text()'),
      fn('httpget', 'async (ctx) => new Promise((resolve, reject) => require("http").get(ctx.query.url, (r) => { let t = ""; r.on("data", (d) => (t += d)).on("end", () => resolve(t)) }).on("error", reject))'),
      fn('axios', 'async (ctx) => (await require("axios").get(ctx.query.url)).data'),
      fn('raw', 'async (ctx) => new Promise((resolve, reject) => { const s = require("net").connect(80, "raw.example"); let t = ""; s.setEncoding("utf8"); s.write("GET /raw HTTP/1.0\\r\\nHost: raw.example\\r\\n\\r\\n"); s.on("data", (d) => (t += d)).on("end", () => resolve(t.split("\\r\\n\\r\\n")[1])).on("error", reject) })'),
      fn('tls', 'async (ctx) => new Promise((resolve) => { const s = require("tls").connect({ host: "secure.example", port: 443 }); s.on("error", (e) => resolve({ code: e.code ?? "none", message: e.message })) })'),
      fn('__websocket__', 'async (ctx) => { globalThis.seen ??= []; if (ctx.method === "WebSocket:connection") { globalThis.seen.push([ctx.method, ctx.url, ctx.headers["x-thing"], ctx.params]); ctx.socket.send("welcome") } if (ctx.method === "WebSocket:message") { const { data, isBinary } = ctx.params; if (data.toString() === "close") ctx.socket.close(4001, "bye"); else ctx.socket.send(isBinary ? data : "echo " + data) } if (ctx.method === "WebSocket:close") globalThis.seen.push([ctx.method, ctx.params.code, String(ctx.params.reason)]) }'),
      fn('seen', '() => globalThis.seen'),
    ]);
    wire = await runtime.connect();
  });
  after(async () => {
    await runtime.stop();
    proxy.close();
    target.closeAllConnections();
    target.close();
  });

  /** A client of the ws package over an upgraded stream. */
  async function webSocket() {
    const key = Buffer.from('0123456789abcdef').toString('base64');
    const headers = [['host', 'h'], ['connection', 'Upgrade'], ['upgrade', 'websocket'], ['sec-websocket-version', '13'], ['sec-websocket-key', key], ['x-thing', 'T']];
    const stream = wire.open({ target: '/any/path?x=1', headers, flags: 2 });
    const response = await stream.head();
    assert.deepEqual([response.status, response.upgraded, response.function], [101, true, '__websocket__']);
    assert.equal(response.headers['sec-websocket-accept'], 'BACScCJPNqyz+UBoqMH89VmURoA=');
    const duplex = new Duplex({
      read() {},
      write(bytes, _encoding, done) {
        stream.upload(bytes).then(() => done(), done);
      },
      final(done) {
        stream.end();
        done();
      },
    });
    const socket = new WebSocket(null, undefined, {});
    socket._isServer = false;
    const messages = [];
    socket.on('message', (data, isBinary) => messages.push([data.toString(), isBinary]));
    const take = stream.push.bind(stream);
    stream.push = (bytes) => {
      take(bytes);
      duplex.push(bytes);
    };
    socket.setSocket(duplex, Buffer.concat(stream.chunks), { maxPayload: 1 << 20, skipUTF8Validation: false, allowSynchronousEvents: true });
    return { socket, stream, messages };
  }

  test('a WebSocket connects, speaks, and closes, with the four events of Laf', async () => {
    const { socket, stream, messages } = await webSocket();
    const next = async () => {
      while (messages.length === 0) await once(socket, 'message');
      return messages.shift();
    };
    assert.deepEqual(await next(), ['welcome', false]);
    socket.send('hi');
    assert.deepEqual(await next(), ['echo hi', false]);
    socket.send(Buffer.from('bin'));
    assert.deepEqual(await next(), ['bin', true]);
    assert.equal((await ask('/identity')).json().sockets, 1);
    socket.send('x'.repeat(700_000));
    assert.equal((await next())[0].length, 700_005);
    const closed = once(socket, 'close');
    socket.send('close');
    await stream.until(() => stream.ended || stream.reset);
    socket._socket.push(null);
    assert.equal((await closed)[0], 4001);
    assert.deepEqual((await ask('/seen')).json(), [['WebSocket:connection', '/any/path?x=1', 'T', null], ['WebSocket:close', 4001, 'bye']]);
    assert.equal((await ask('/identity')).json().sockets, 0);
  });

  test('a WebSocket whose client vanishes is closed', async () => {
    const { stream } = await webSocket();
    stream.cancel();
    let sockets = 1;
    while (sockets > 0) sockets = (await ask('/identity')).json().sockets;
  });

  test('an upgrade that is no WebSocket handshake is refused as a normal answer', async () => {
    const answer = await wire.request({ target: '/', flags: 2, headers: [['upgrade', 'websocket']] });
    assert.equal(answer.status, 400);
  });

  test('the SDK knows its app', async () => {
    assert.deepEqual((await ask('/identity')).json(), { appid: 'abc123', env: 'abc123', shared: true, sockets: 0 });
  });

  test('cloud.invoke calls a function in this process', async () => {
    assert.deepEqual((await ask('/invoke')).json(), { id: 'invoke', method: 'call', body: { a: 1 } });
    assert.deepEqual((await ask('/invokespread', { requestId: 's', headers: [['host', 'h']] })).json(), { id: 's', method: 'GET', body: 'spread', host: 'h' });
    assert.equal((await ask('/invokenone')).status, 500);
  });

  test('tokens are signed with the own or a given secret', async () => {
    assert.deepEqual((await ask('/token')).json(), { own: 1, custom: 2, crossed: null, bad: null, lib: 4 });
  });

  test('without a database or storage the SDK says what to set, and with the settings it works', async () => {
    for (const [name, text] of [['mongo', 'DB_URI'], ['database', 'DB_URI'], ['storage', 'OSS_ACCESS_KEY']]) {
      assert.equal((await ask(`/${name}`, { requestId: `no-${name}` })).status, 500);
      assert.match((await runtime.log((line) => line.requestId === `no-${name}`)).message, new RegExp(`none configured.*${text}`));
    }
    const storage = (await ask('/storageset')).json();
    assert.deepEqual([storage.name, storage.url], ['abc123-b', 'http://oss.example/abc123-b/d/k']);
    assert.match(storage.signed, /^http:\/\/oss\.example\/abc123-b\/k\?.*X-Amz-Signature=/);
    assert.deepEqual((await ask('/mongoset')).json(), { name: 'shop', ql: 'function' });
  });

  test('every way out goes through the proxy, by name', async () => {
    for (const name of ['fetch', 'httpget', 'axios']) {
      const answer = await ask(`/${name}?url=${encodeURIComponent(`http://${name}.example/p`)}`);
      assert.equal(answer.text, `reached ${name}.example /p`);
    }
    assert.equal((await ask('/raw')).text, 'reached raw.example /raw');
    for (const host of ['fetch.example:80', 'httpget.example:80', 'axios.example:80', 'raw.example:80']) assert.ok(proxy.asked.includes(host), host);
  });

  test('TLS goes through the proxy too', async () => {
    const answer = (await ask('/tls')).json();
    assert.ok(proxy.asked.includes('secure.example:443'));
    // The target speaks plain HTTP: the handshake reached it and failed there.
    assert.match(`${answer.code} ${answer.message}`, /SSL|ECONNRESET|disconnected/i);
  });

  test('loopback stays direct, and what the proxy forbids is an error that says so', async () => {
    const direct = await ask(`/fetch?url=${encodeURIComponent(`http://127.0.0.1:${target.address().port}/d`)}`);
    assert.match(direct.text, /^reached 127\.0\.0\.1/);
    assert.equal((await ask('/httpget?url=http%3A%2F%2Fforbidden.example%2F', { requestId: 'forbidden' })).status, 500);
    assert.match((await runtime.log((line) => line.requestId === 'forbidden')).message, /forbidden\.example:80 is not allowed from here/);
  });

  test('a debug run runs the code it brings and returns its logs', async () => {
    const data = { name: 'x', source: { compiled: 'exports.default = async (ctx) => { console.log("seen by the author"); return { debug: ctx.body } }' } };
    const packed = zlib.gzipSync(JSON.stringify(data)).toString('base64');
    const more = (token) => ({ method: 'POST', body: '{"a":1}', headers: [['content-type', 'application/json'], ['x-laf-develop-token', token], ['x-laf-debug-data', packed]] });
    const answer = await ask('/whatever', more(jwt({ type: 'develop', appid: 'abc123' })));
    assert.deepEqual([answer.status, answer.json()], [200, { debug: { a: 1 } }]);
    const logs = JSON.parse(zlib.gunzipSync(Buffer.from(answer.headers['x-laf-debug-logs'], 'base64')));
    assert.match(logs[0], /INFO \[whatever\] seen by the author/);
    assert.match(answer.headers['x-laf-debug-time-usage'], /^\d+$/);
    assert.equal((await ask('/whatever', more(jwt({ type: 'develop' }, 'wrong')))).status, 403);
  });

  test('health, typings and API description answer under /_/', async () => {
    assert.equal((await ask('/_/healthz')).text, 'ok');
    const typing = async (name) => (await ask(`/_/typing/package?packageName=${encodeURIComponent(name)}`, { headers: [['x-laf-develop-token', jwt({ type: 'develop' })]] })).json();
    for (const name of ['@types/node', 'fs', 'axios', 'lodash', 'ws', 'dayjs']) {
      const { code, data, error } = await typing(name);
      if (name === 'lodash' || name === 'ws') assert.equal(code, 1, name);
      else assert.deepEqual([name, code, error, data?.length > 0 && typeof data[0].content === 'string'], [name, 0, undefined, true]);
    }
    assert.equal((await typing('../../etc')).code, 1);
    assert.equal((await ask('/_/typing/package?packageName=axios')).status, 403);
    const docs = (await ask(`/_/api-docs?token=${jwt({ type: 'openapi' })}`)).json();
    assert.deepEqual([docs.openapi, Object.keys(docs.paths['/fetch'])], ['3.0.0', ['get', 'post', 'put', 'delete', 'patch', 'head']]);
    assert.equal((await ask('/_/api-docs?token=x')).status, 403);
  });
});
