// The shim as it always starts, which keeps V8's code for all that has run so far when it is told to (SIGUSR2), and ends.
// Run by `warm.mjs` at the installation; instances never load this.

'use strict';

const fs = process.getBuiltinModule('node:fs');
const end = process.reallyExit.bind(process);
const { script, codeFile } = require('./main.cjs');

process.on('SIGUSR2', () => {
  fs.writeFileSync(codeFile, script.createCachedData(), { mode: 0o644 });
  end(0);
});
