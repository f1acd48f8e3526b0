// Loads packages so that the next process finds them compiled: CommonJS in packs, ES modules in Node's own compile cache.

import { startRecording, writePacks } from './warm-packs.mjs';

const fs = process.getBuiltinModule('node:fs');
const module = process.getBuiltinModule('node:module');
const vm = process.getBuiltinModule('node:vm');

/** One package must not keep an install waiting for ever. */
const PATIENCE_MS = 10_000;

let recording = false;

export async function compileInto(directory, from, names) {
  if (!recording) startRecording();
  recording = true;
  module.enableCompileCache(directory);
  const require = module.createRequire(from);
  const load = vm.runInThisContext('(name) => import(name)', { filename: from, importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER });
  for (const name of names) {
    try {
      require(name);
    } catch {
      await patiently(load(name)).catch((error) => console.error(`${name} is not compiled ahead: ${String(error?.message).split('\n', 1)[0]}`));
    }
  }
  module.flushCompileCache();
  writePacks(directory, from, names);
  share(directory);
}

/** Node keeps its cache for the user who wrote it alone. Every instance has a user id of its own and must read it. */
function share(directory) {
  for (const entry of fs.readdirSync(directory, { recursive: true, withFileTypes: true })) {
    fs.chmodSync(`${entry.parentPath}/${entry.name}`, entry.isDirectory() ? 0o755 : 0o644);
  }
}

function patiently(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('it takes too long')), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
