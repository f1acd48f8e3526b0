// Every outgoing TCP connection goes through the sandbox's proxy: `CONNECT host:port`, by host name.
// There is no DNS and no route inside a sandbox; the proxy resolves, checks and counts.
// One mechanism for http, fetch, database drivers and mail: net.Socket.prototype.connect. Loopback stays direct.

const net = process.getBuiltinModule('node:net');
const { createRequire } = process.getBuiltinModule('node:module');


const MAX_HEAD = 8 << 10;
const builtIn = createRequire(import.meta.url);
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1|0:0:0:0:0:0:0:1|\[::1\])$/i;
let proxy;

function isLoopback(host) {
  return host === undefined || host === '' || LOOPBACK.test(host) || /\.localhost$/i.test(host);
}

/** The options of a `connect` call in any of its shapes; undefined for a pipe. */
function target(values) {
  const first = Array.isArray(values[0]) ? values[0][0] : values[0];
  if (typeof first === 'object' && first !== null) return first.path === undefined || first.path === null ? first : undefined;
  if (typeof first === 'string' && Number.isNaN(Number(first))) return undefined;
  return { port: Number(first), host: typeof values[1] === 'string' ? values[1] : undefined };
}

function callbackOf(values) {
  const list = Array.isArray(values[0]) ? values[0] : values;
  return list.find((value) => typeof value === 'function');
}

/** Makes the tunnel the way out. Without a proxy in the environment nothing changes. */
export function installEgress(environment) {
  const address = environment.HTTP_PROXY ?? environment.http_proxy;
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy', 'NODE_USE_ENV_PROXY']) delete environment[name];
  if (address === undefined) return;
  const url = new URL(address);
  proxy = { host: url.hostname, port: Number(url.port || 80) };
  const direct = net.Socket.prototype.connect;
  net.Socket.prototype.connect = function connect(...values) {
    const options = target(values);
    if (options === undefined || isLoopback(options.host) || this.encrypted === true) return direct.apply(this, values);
    const callback = callbackOf(values);
    if (callback !== undefined) this.once('connect', callback);
    tunnel(this, options.host, Number(options.port), direct);
    return this;
  };
}

/** Opens a tunnel with a socket of its own and then gives that socket's handle to `socket`. */
function tunnel(socket, host, port, direct) {
  const way = new net.Socket();
  socket.connecting = true;
  socket._host = host;
  const fail = (error) => {
    way.destroy();
    socket.connecting = false;
    socket.destroy(error);
  };
  const name = net.isIPv6(host) ? `[${host}]` : host;
  socket.once('close', () => way.destroy());
  way.once('error', (error) => fail(named(`The way out of the sandbox is closed: ${error.message}`, 'ECONNREFUSED', host, port)));
  way.once('end', () => fail(named(`The proxy closed the connection to ${name}:${port}.`, 'ECONNRESET', host, port)));
  way.once('connect', () => way.write(`CONNECT ${name}:${port} HTTP/1.1\r\nHost: ${name}:${port}\r\n\r\n`));
  let head = '';
  way.on('data', function read(chunk) {
    head += chunk.latin1Slice();
    const end = head.indexOf('\r\n\r\n');
    if (end === -1 && head.length < MAX_HEAD) return;
    way.removeListener('data', read);
    const status = Number(head.slice(9, 12));
    if (end === -1 || !(status >= 200 && status < 300)) fail(refused(head, status, host, port));
    else handOver(way, socket, Buffer.from(head.slice(end + 4), 'latin1'));
  });
  direct.call(way, { host: proxy.host, port: proxy.port });
}

function refused(head, status, host, port) {
  const why = status === 403 ? 'is not allowed from here' : `failed: the proxy answered ${head.slice(0, head.indexOf('\r\n')).slice(0, 200)}`;
  const code = status === 403 ? 'EACCES' : status === 504 ? 'ETIMEDOUT' : status === 502 ? 'ENOTFOUND' : 'ECONNREFUSED';
  return named(`A connection to ${host}:${port} ${why}.`, code, host, port);
}

function named(message, code, host, port) {
  return Object.assign(new Error(message), { code, syscall: 'connect', hostname: host, address: host, port });
}

function handOver(way, socket, early) {
  if (socket.destroyed) return void way.destroy();
  way.removeAllListeners();
  const handle = way._handle;
  handle.readStop();
  const owner = Object.getOwnPropertySymbols(handle).find((symbol) => symbol.description === 'owner_symbol');
  way._handle = null;
  handle.reading = false;
  handle[owner] = socket;
  socket._handle = handle;
  socket.connecting = false;
  if (socket.noDelay) handle.setNoDelay?.(true);
  if (early.length > 0) socket.unshift(early);
  socket.emit('connect');
  socket.emit('ready');
  if (!socket.destroyed && !socket.isPaused()) socket.read(0);
  return undefined;
}

let patched = false;

/** TLS over a tunnel. Loaded only when something may speak TLS: it costs milliseconds. */
export function patchTls() {
  if (patched || proxy === undefined) return;
  patched = true;
  const tls = builtIn('node:tls');
  const direct = tls.connect;
  tls.connect = function connect(...values) {
    const options = tlsOptions(values);
    if (options.socket || options.path || isLoopback(options.host)) return direct.apply(this, values);
    const callback = values.find((value) => typeof value === 'function');
    const socket = net.connect({ host: options.host, port: Number(options.port) });
    const servername = options.servername ?? (net.isIP(options.host) === 0 ? options.host : undefined);
    const secure = direct({ ...options, servername, socket }, callback);
    socket.on('error', (error) => secure.destroy(error));
    return secure;
  };
  builtIn('node:module').syncBuiltinESMExports();
}

function tlsOptions(values) {
  if (typeof values[0] === 'object' && values[0] !== null) return values[0];
  const rest = values.find((value) => typeof value === 'object' && value !== null) ?? {};
  return { ...rest, port: values[0], host: typeof values[1] === 'string' ? values[1] : rest.host };
}

/** The globals that may open TLS connections patch it first. Reading one of them would load Node's whole HTTP client. */
export function guardGlobals() {
  if (proxy === undefined) return;
  const direct = globalThis.fetch;
  globalThis.fetch = function fetch(input, init = undefined) {
    patchTls();
    return direct(input, init);
  };
  // Not replaced but removed: to define a property anew reads the old one.
  delete globalThis.WebSocket;
  const set = (value) => Object.defineProperty(globalThis, 'WebSocket', { value, configurable: true, writable: true });
  const get = () => {
    patchTls();
    const { WebSocket } = builtIn('node:http');
    set(WebSocket);
    return WebSocket;
  };
  Object.defineProperty(globalThis, 'WebSocket', { configurable: true, get, set });
}
