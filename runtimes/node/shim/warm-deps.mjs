// Run in the install sandbox at the end of an app's npm install, with the names of its packages: fills /app/.cache.
// A package that cannot be loaded without its app's variables is no error here: it is only not compiled ahead.

import { compileInto } from './warm-packages.mjs';

await compileInto('/app/.cache', '/app/index.js', process.argv.slice(2));
process.reallyExit(0);
