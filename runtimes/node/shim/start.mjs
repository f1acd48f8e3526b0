// Everything before hello. Only what every app needs is imported from here;
// all else is loaded when it is first touched.

import { installGlobalConsole } from './console.mjs';
import { guardGlobals, installEgress } from './egress.mjs';
import { forbidExit, installSafetyNet, installStackTraces } from './errors.mjs';
import { operations, setExit } from './operations.mjs';
import { listen } from './server.mjs';
import { warmUp } from './warmup.mjs';

/** A slot that is wanted at once shall not warm up first: its app is already in the socket. */
const WARM_UP_AFTER_MS = 20;

/** Sets the process up; what the engine may ask for. */
export function start(fd) {
  installStackTraces();
  installEgress(process.env);
  guardGlobals();
  installSafetyNet();
  installGlobalConsole();
  setExit(forbidExit());
  listen(fd);
  setTimeout(warmUp, WARM_UP_AFTER_MS).unref();
  return operations;
}
