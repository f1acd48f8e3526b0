// Loads packages with V8's compile cache on, so that the next process finds them compiled.

const module = process.getBuiltinModule('node:module');
const vm = process.getBuiltinModule('node:vm');

/** One package must not keep an install waiting for ever. */
const PATIENCE_MS = 10_000;

export async function compileInto(directory, from, names) {
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
}

function patiently(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('it takes too long')), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
