// What is compiled ahead must be readable by instances, which have other user ids than the install job had.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

test('code compiled ahead is readable by everybody', (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'darter-warm-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  const name = path.join(folder, 'node_modules', 'big');
  fs.mkdirSync(name, { recursive: true });
  fs.writeFileSync(path.join(name, 'index.js'), `exports.value = ${JSON.stringify('x'.repeat(5000))};\n`);
  const cache = path.join(folder, 'cache');
  const script = `import { compileInto } from ${JSON.stringify(new URL('../shim/warm-packages.mjs', import.meta.url).href)};
    await compileInto(${JSON.stringify(cache)}, ${JSON.stringify(path.join(folder, 'index.js'))}, ['big']);`;
  execFileSync(process.execPath, ['--input-type=module', '-e', script]);
  const files = fs.readdirSync(cache, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  assert.notEqual(files.length, 0);
  for (const file of files) assert.equal(fs.statSync(path.join(file.parentPath, file.name)).mode & 0o444, 0o444, file.name);
});
