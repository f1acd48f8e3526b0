// The start of the Node runtime: two sockets from the engine, hello, and then whatever it says.
// Only what every app needs is imported here; all else is loaded when it is first touched, for the start is what people wait for.

import { openControl } from './control.mjs';
import { installGlobalConsole } from './console.mjs';
import { forbidExit, installSafetyNet, installStackTraces } from './errors.mjs';
import { guardGlobals, installEgress } from './egress.mjs';
import { listen } from './server.mjs';
import { operations, sayHello, setExit } from './operations.mjs';

const LISTEN_FD = 3;
const CONTROL_FD = Number(process.env.DARTER_CONTROL_FD ?? 4);

installStackTraces();
installEgress(process.env);
guardGlobals();
installSafetyNet();
installGlobalConsole();
setExit(forbidExit());
openControl(CONTROL_FD, operations);
listen(LISTEN_FD);
sayHello();
