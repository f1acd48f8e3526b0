// Packs: packages load from one file, and are the same modules as without it.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { Runtime, fn, temporaryFolder } from './platform.mjs';

const FILES = {
  'pack/package.json': '{"name":"pack","version":"1.2.3","main":"lib/index.js"}',
  'pack/lib/index.js': '#!/usr/bin/env node\nexports.early = true;\nexports.other = require("./other");\nexports.inner = require("inner");\nexports.version = require("../package.json").version;\nexports.place = [__filename, __dirname, module.id, module.loaded, require.resolve("./other")];\nexports.fail = () => {\n  throw new Error("from the pack φ");\n};\n',
  'pack/lib/other.js': 'exports.seen = require("./index").early; exports.self = this === module.exports;',
  'inner/package.json': '{"name":"inner","version":"1.0.0","exports":"./inner.cjs"}',
  'inner/inner.cjs': 'module.exports = class Inner {};',
  'modern/package.json': '{"name":"modern","version":"1.0.0","type":"module","exports":"./index.js"}',
  'modern/index.js': 'export const value = 7;',
};
const SHIM = path.join(process.env.DARTER_SHIM, 'shim');

function app() {
  const folder = temporaryFolder();
  after(() => fs.rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(FILES)) {
    const file = path.join(folder, 'node_modules', name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
  }
  fs.mkdirSync(path.join(folder, '.cache'));
  return folder;
}

function warm(folder) {
  const script = `import { compileInto } from ${JSON.stringify(`file://${SHIM}/warm-packages.mjs`)};
    await compileInto(${JSON.stringify(`${folder}/.cache`)}, ${JSON.stringify(`${folder}/index.js`)}, ['pack', 'inner', 'modern']);`;
  execFileSync(process.execPath, ['--input-type=module', '-e', script]);
}

const PROBE = fn('probe', `async () => {
  const [pack, inner, modern] = [await __import('pack'), await __import('inner'), await __import('modern')];
  let stack; try { pack.fail(); } catch (error) { stack = error.stack; }
  return { other: pack.other, same: pack.inner === inner.default, name: inner.default.name, version: pack.version, place: pack.place, stack, value: modern.value };
}`);

test('a packed package is the same as an unpacked one, and needs none of its files', async () => {
  const folder = app();
  const plain = await probe(folder);
  warm(folder);
  assert.deepEqual(Object.keys(JSON.parse(fs.readFileSync(`${folder}/.cache/packs.json`, 'utf8'))), ['pack', 'inner']);
  assert.deepEqual(await probe(folder), plain);
  for (const name of ['pack/lib/index.js', 'pack/lib/other.js', 'inner/inner.cjs']) fs.writeFileSync(path.join(folder, 'node_modules', name), 'throw new Error("read from disk")');
  assert.deepEqual(await probe(folder), plain);
  assert.match(plain.stack, /from the pack φ[\s\S]*pack\/lib\/index\.js:8:9/);
});

test('a pack that is not there is no error', async () => {
  const folder = app();
  const plain = await probe(folder);
  warm(folder);
  fs.rmSync(`${folder}/.cache/pack.pack`);
  assert.deepEqual(await probe(folder), plain);
});

async function probe(folder) {
  const runtime = await Runtime.start();
  try {
    await runtime.load([PROBE], { modulePath: folder });
    const wire = await runtime.connect();
    const answer = await wire.request({ target: '/probe' });
    assert.equal(answer.status, 200, answer.text);
    return answer.json();
  } finally {
    await runtime.stop();
  }
}
