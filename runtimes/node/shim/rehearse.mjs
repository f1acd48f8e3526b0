// Starts the shim once as the engine would, loads an app into it and asks it, so that V8's code for all of that can be kept.

const { once } = process.getBuiltinModule('node:events');
const { spawn } = process.getBuiltinModule('node:child_process');
const net = process.getBuiltinModule('node:net');

const CODE = 'Object.defineProperty(__exports,"default",{get(){return f}});async function f(ctx){console.log("warm", ctx.query);return {name:ctx.query.name,agent:ctx.headers.host}}';
const FUNCTION = { name: 'warm', version: 1, code: CODE, map: null, methods: ['GET'], imports: [] };
const LOAD = { op: 'load', appid: 'warm', env: {}, secret: 'warm', functions: [FUNCTION], modulePath: null, limits: { requestBytes: 1 << 20 } };
const HEAD = 'GET\n/warm?name=a\nwarm\n127.0.0.1\n0\n\nhost\nlocalhost\naccept\n*/*\nuser-agent\nwarm';
const REQUEST = 1;

/** One REQUEST frame that is its stream's whole (docs/reference/wire-protocol.md). */
function request() {
  const bytes = Buffer.alloc(10 + HEAD.length);
  bytes.writeUInt32LE(1 + HEAD.length, 0);
  bytes[4] = REQUEST;
  bytes.writeUInt32LE(1, 5);
  bytes[9] = 1;
  bytes.latin1Write(HEAD, 10);
  return bytes;
}

/** Fills the file of V8's code beside the bundle. The flags must be those that instances are started with. */
export async function rehearse() {
  const address = `\0darter-rehearsal-${process.pid}`;
  const server = net.createServer().listen(address);
  await once(server, 'listening');
  const program = new URL('rehearsal.cjs', import.meta.url).pathname;
  const env = { ...process.env, LISTEN_FDS: '1', DARTER_CONTROL_FD: '4' };
  const child = spawn(process.execPath, [...process.execArgv, program], { stdio: ['ignore', 'inherit', 'inherit', server._handle.fd, 'pipe'], env });
  // The child listens; whoever connects is not for us.
  server.close();
  const exit = once(child, 'exit');
  await Promise.race([once(child.stdio[4], 'data'), exit.then(() => Promise.reject(new Error('the shim ended before it said hello')))]);
  const wire = net.connect(address);
  wire.write(request());
  child.stdio[4].write(`${JSON.stringify(LOAD)}\n`);
  await once(wire, 'data');
  child.kill('SIGUSR2');
  await exit;
}
