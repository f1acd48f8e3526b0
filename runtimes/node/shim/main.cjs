// The process's entry: runs the shim, which was made one file when it was installed, with V8's code for it.
// Dozens of small reads and compilations are what a start would otherwise mostly consist of.
// It must never do anything else: what is here is compiled at every start.

'use strict';

const fs = process.getBuiltinModule('node:fs');
const vm = process.getBuiltinModule('node:vm');

const filename = process.getBuiltinModule('node:path').resolve(__dirname, '../cache/shim.js');

/** V8's code for the shim. Without it the shim starts more slowly and is the same. */
function code() {
  try {
    return fs.readFileSync(`${filename}.code`);
  } catch {
    return undefined;
  }
}

// Only ASCII comes out of the bundler.
const source = `(function (module, require, __url) {${fs.readFileSync(filename, 'latin1')}\n})`;
const script = new vm.Script(source, { filename, cachedData: code(), importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER });
const shim = { exports: {} };
module.exports = { script, codeFile: `${filename}.code` };
script.runInThisContext()(shim, require, filename);
shim.exports.main();
