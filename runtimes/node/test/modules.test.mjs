// Functions as modules: imports between functions and of packages, state, cycles, publish, pins, special functions.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { Runtime, body, fn, temporaryFolder } from './platform.mjs';

let runtime;
let wire;

async function serve(functions, more) {
  runtime = await Runtime.start(more?.start);
  const loaded = await runtime.load(functions, more);
  wire = await runtime.connect();
  return loaded;
}

const ask = (target, more = {}) => wire.request({ target, ...more });
const importing = (name, specifier, expression, more) => ({ name, code: body(`const dep = await __import(${JSON.stringify(specifier)});async function main(ctx) { return ${expression} }`, { default: 'main' }), imports: [specifier], ...more });
const counter = { name: 'lib/counter', code: body('let count = 0; function next() { count += 1; return count }', { next: 'next' }) };

afterEach(() => runtime.stop());

describe('imports between functions', () => {
  test('@/name, ./name and ../name mean functions, relative to the importer', async () => {
    await serve([
      counter,
      importing('absolute', '@/lib/counter', 'String(dep.next())'),
      importing('lib/near', './counter', 'String(dep.next())'),
      importing('lib/deep/far', '../counter', 'String(dep.next())'),
      importing('lib/suffix', './counter.ts', 'String(dep.next())'),
    ]);
    const answers = [];
    for (const name of ['absolute', 'lib/near', 'lib/deep/far', 'lib/suffix']) answers.push((await ask(`/${name}`)).text);
    assert.deepEqual(answers, ['1', '2', '3', '4']);
  });

  test('state lives between calls', async () => {
    await serve([fn('count', 'async function () { return String(++n) }', { top: 'let n = 0;' })]);
    assert.deepEqual([(await ask('/count')).text, (await ask('/count')).text], ['1', '2']);
  });

  test('with DISABLE_MODULE_CACHE it does not', async () => {
    await serve([fn('count', 'async function () { return String(++n) }', { top: 'let n = 0;' })], { env: { DISABLE_MODULE_CACHE: 'true' } });
    assert.deepEqual([(await ask('/count')).text, (await ask('/count')).text], ['1', '1']);
  });

  test('a cycle is refused and named, whoever is called first, and both at once', async () => {
    await serve([importing('a', '@/b', '1'), importing('b', './c', '1'), importing('c', './a', '1'), importing('self', './self', '1')]);
    assert.deepEqual((await Promise.all([ask('/a'), ask('/b'), ask('/c')])).map((answer) => answer.status), [500, 500, 500]);
    assert.equal((await ask('/a', { requestId: 'cycle' })).status, 500);
    assert.match((await runtime.log((line) => line.requestId === 'cycle')).message, /circular dependency detected: a -> b -> c -> a/);
    await ask('/self');
    await runtime.log('circular dependency detected: self -> self');
  });

  test('an import of a function that is not there says so, and heals when it is published', async () => {
    await serve([importing('user', '@/missing', 'dep.value')]);
    assert.equal((await ask('/user')).status, 500);
    await runtime.log('no published function named "missing"');
    await runtime.publish({ name: 'missing', code: body('', { value: '"here now"' }) });
    assert.equal((await ask('/user')).text, 'here now');
  });

  test('a publish resets what depends on the function and nothing else', async () => {
    const keeper = fn('keeper', 'async function () { return String(++n) }', { top: 'let n = 0;' });
    const middle = { name: 'middle', code: body('const dep = await __import("@/leaf"); let n = 0; function value() { n += 1; return dep.value() + n }', { value: 'value' }) };
    await serve([keeper, { name: 'leaf', code: body('', { value: '() => "old"' }) }, middle, importing('top', './middle', 'dep.value()')]);
    assert.deepEqual([(await ask('/top')).text, (await ask('/top')).text, (await ask('/keeper')).text], ['old1', 'old2', '1']);
    const published = await runtime.publish({ name: 'leaf', version: 2, code: body('', { value: '() => "new"' }) });
    assert.deepEqual([published.name, published.version, published.error], ['leaf', 2, undefined]);
    assert.deepEqual([(await ask('/top')).text, (await ask('/keeper')).text], ['new1', '2']);
  });

  test('a call in flight finishes on the old code', async () => {
    await serve([fn('slow', 'async function (ctx) { await new Promise((resolve) => { globalThis.release = resolve }); return "old" }'), fn('release', 'async function () { globalThis.release(); return "ok" }')]);
    const old = wire.open({ target: '/slow' });
    await ask('/nothing');
    await runtime.publish(fn('slow', 'async function () { return "new" }', { version: 2 }));
    assert.equal((await ask('/slow')).text, 'new');
    await ask('/release');
    const answer = await old.whole();
    assert.deepEqual([answer.text, answer.version], ['old', '1']);
  });

  test('a publish that does not compile says where, and a removed function is gone', async () => {
    await serve([fn('f', '() => 1')]);
    assert.match((await runtime.publish({ name: 'f', version: 2, code: '\nlet let = 1' })).error, /SyntaxError.*line 2/);
    runtime.say({ op: 'remove', name: 'f' });
    runtime.say({ op: 'ping', seq: 1 });
    await runtime.event('pong');
    assert.equal((await ask('/f')).status, 404);
  });

  test('require finds functions, packages and node modules', async () => {
    await serve([counter, fn('r', 'async function () { return { n: require("@/lib/counter").next(), dayjs: typeof require("dayjs"), fs: typeof require("node:fs").readFileSync, sdk: typeof require("@lafjs/cloud").default.invoke } }')]);
    assert.deepEqual((await ask('/r')).json(), { n: 1, dayjs: 'function', fs: 'function', sdk: 'function' });
  });

  test('a function may be CommonJS', async () => {
    await serve([{ name: 'cjs', code: 'exports.default = async () => "from exports"; exports.extra = 5' }, { name: 'whole', code: 'module.exports = async () => "whole"' }, importing('both', './cjs', 'String(dep.extra)')]);
    assert.deepEqual([(await ask('/cjs')).text, (await ask('/whole')).text, (await ask('/both')).text], ['from exports', 'whole', '5']);
  });

  test('a dynamic import works for functions and packages', async () => {
    await serve([counter, fn('d', 'async function () { return { n: (await __dynamic_import("@/lib/counter")).next(), d: typeof (await __dynamic_import("dayjs")).default } }')]);
    assert.deepEqual((await ask('/d')).json(), { n: 1, d: 'function' });
  });
});

describe('packages', () => {
  const expected = { '@aws-sdk/client-s3': 'S3', axios: 'default', chalk: 'default', cors: 'default', dayjs: 'default', dotenv: 'parse', ejs: 'render', express: 'Router', 'express-http-proxy': 'default', jsonwebtoken: 'sign', lodash: 'chunk', minio: 'Client', mongodb: 'MongoClient', 'mongodb-uri': 'parse', multer: 'default', nodemailer: 'createTransport', 'openapi3-ts': 'oas30', pako: 'deflate', 'source-map-support': 'install', typescript: 'transpile', validator: 'default', ws: 'WebSocketServer', zlib: 'gzipSync', 'database-proxy': 'Proxy', 'express-xml-bodyparser': 'default', '@aws-sdk/client-sts': 'STS', '@aws-sdk/s3-request-presigner': 'getSignedUrl', '@kubernetes/client-node': 'KubeConfig', chatgpt: 'ChatGPTAPI', '@lafjs/cloud': 'default', '@darter/cloud': 'Cloud', '@/cloud-sdk': 'default' };

  test('every built-in package can be imported', async () => {
    await serve(Object.keys(expected).map((name, index) => importing(`p${index}`, name, `typeof dep[${JSON.stringify(expected[name])}]`)));
    const found = {};
    for (const [index, name] of Object.keys(expected).entries()) {
      const answer = await ask(`/p${index}`);
      found[name] = answer.status === 200 && answer.text !== 'undefined' ? 'ok' : `${answer.status} ${answer.text} ${JSON.stringify(runtime.logs.at(-1)?.message)}`;
    }
    assert.deepEqual(found, Object.fromEntries(Object.keys(expected).map((name) => [name, 'ok'])));
  });

  test("the app's own packages come first, of either kind", async () => {
    const folder = temporaryFolder();
    const write = (name, about, files) => {
      const root = path.join(folder, 'node_modules', name);
      fs.mkdirSync(root, { recursive: true });
      fs.writeFileSync(path.join(root, 'package.json'), JSON.stringify({ name, version: '1.0.0', ...about }));
      for (const [file, text] of Object.entries(files)) fs.writeFileSync(path.join(root, file), text);
    };
    write('dayjs', { main: 'index.js' }, { 'index.js': 'module.exports = "the own one"' });
    write('esm-only', { type: 'module', exports: { import: './index.js' } }, { 'index.js': 'export default "esm"; export const named = 1' });
    write('esm-await', { type: 'module', main: './index.js' }, { 'index.js': 'export default await Promise.resolve("awaited")' });
    write('interop', { main: 'index.js' }, { 'index.js': 'Object.defineProperty(exports, "__esModule", { value: true }); exports.default = "inner"; exports.x = 2' });
    write('callable', { main: 'index.js' }, { 'index.js': 'module.exports = function (a) { return "called " + a }; module.exports.extra = 3' });
    write('broken', { main: 'index.js' }, { 'index.js': 'require("does-not-exist-inside")' });
    await serve(
      [
        importing('own', 'dayjs', 'dep.default'),
        importing('only', 'esm-only', 'dep.default + dep.named'),
        importing('waits', 'esm-await', 'dep.default'),
        importing('inter', 'interop', 'dep.default + dep.x'),
        importing('call', 'callable', 'dep("a") + dep.default("b") + dep.extra'),
        importing('bad', 'broken', '1'),
        importing('none', 'not-installed-at-all', '1'),
      ],
      { modulePath: folder },
    );
    const answers = [];
    for (const name of ['own', 'only', 'waits', 'inter', 'call']) answers.push((await ask(`/${name}`)).text);
    assert.deepEqual(answers, ['the own one', 'esm1', 'awaited', 'inner2', 'called acalled b3']);
    assert.deepEqual([(await ask('/bad')).status, (await ask('/none')).status], [500, 500]);
    await runtime.log('does-not-exist-inside');
    await runtime.log('Cannot find package "not-installed-at-all". Add it');
    fs.rmSync(folder, { recursive: true });
  });
});

describe('pins', () => {
  test('a draft answers under its pin and nowhere else', async () => {
    await serve([fn('f', '() => "live"'), counter]);
    runtime.say({ op: 'draft', id: 'd1', function: { ...importing('f', '@/lib/counter', '"draft" + dep.next()'), version: 0, map: null, methods: ['GET'] } });
    const answer = await ask('/f', { pin: 'draft:d1' });
    assert.deepEqual([answer.text, answer.version], ['draft1', '0']);
    assert.equal((await ask('/f')).text, 'live');
    assert.equal((await ask('/f', { pin: 'draft:d2' })).status, 404);
  });

  test('old versions answer under their number, the last 32 used', async () => {
    await serve([fn('f', '() => "v99"', { version: 99 })]);
    for (let version = 1; version <= 34; version += 1) runtime.say({ op: 'pin', function: { ...fn('f', `() => "v${version}"`), version, map: null, methods: ['GET'], imports: [] } });
    runtime.say({ op: 'ping', seq: 7 });
    assert.equal((await runtime.event('pong')).seq, 7);
    assert.equal((await ask('/f', { pin: '3' })).text, 'v3');
    assert.equal((await ask('/f', { pin: '34' })).version, '34');
    assert.equal((await ask('/f', { pin: '99' })).text, 'v99');
    const gone = await ask('/f', { pin: '1' });
    assert.equal(gone.status, 404);
    assert.match(gone.text, /version 1 of the function "f" is not loaded/);
  });
});

describe('special functions', () => {
  test('__init__ runs once, before any answer, with method INIT', async () => {
    runtime = await Runtime.start();
    wire = await runtime.connect();
    const early = ask('/state');
    await runtime.load([
      fn('__init__', 'async function (ctx) { await new Promise((resolve) => setTimeout(resolve, 20)); globalThis.state = [...(globalThis.state ?? []), ctx.method] }'),
      fn('__interceptor__', 'async function (ctx, next) { globalThis.intercepted = (globalThis.intercepted ?? 0) + 1; return next(ctx) }'),
      fn('state', '() => ({ state: globalThis.state, intercepted: globalThis.intercepted })'),
    ]);
    assert.deepEqual((await early).json(), { state: ['INIT'], intercepted: 1 });
  });

  test('a failing __init__ is reported and the functions work', async () => {
    const loaded = await serve([fn('__init__', 'async function () {\nthrow new Error("no database") }'), fn('f', '() => "works"')]);
    assert.deepEqual(loaded.errors.map(({ function: name, message }) => [name, message]), [['__init__', 'no database']]);
    assert.equal((await ask('/f')).text, 'works');
  });

  test('a new-style interceptor wraps the call, an old-style one allows or forbids it', async () => {
    await serve([fn('__interceptor__', 'async function (ctx, next) { if (ctx.query.stop) return false; if (ctx.query.own) return "own"; const result = await next(ctx); return { wrapped: result } }'), fn('f', '() => 1'), fn('no', '() => false')]);
    assert.deepEqual((await ask('/f')).json(), { wrapped: 1 });
    assert.equal((await ask('/f?own=1')).text, 'own');
    const stopped = await ask('/f?stop=1', { requestId: 'stop' });
    assert.deepEqual([stopped.status, stopped.json()], [403, { error: 'Forbidden', requestId: 'stop' }]);
    assert.equal((await ask('/__interceptor__')).text, '{}');
    await runtime.publish(fn('__interceptor__', 'async (ctx) => (ctx.query.stop ? false : ctx.query.zero ? 0 : undefined)', { version: 2 }));
    assert.deepEqual([(await ask('/f')).text, (await ask('/f?stop=1')).status, (await ask('/f?zero=1')).text, (await ask('/no')).text], ['1', 403, '1', 'false']);
  });

  test('__default__ answers for unknown names, with its own methods', async () => {
    await serve([fn('__default__', 'async (ctx) => ({ name: ctx.__function_name, path: ctx.request.path })', { methods: ['GET'] })]);
    const answer = await ask('/some/where');
    assert.deepEqual([answer.function, answer.json()], ['__default__', { name: '__default__', path: '/some/where' }]);
    assert.equal((await ask('/some/where', { method: 'DELETE' })).status, 405);
  });
});
