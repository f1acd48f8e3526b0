// The control channel to the engine (docs/reference/runtime-control.md): one JSON value a line, both ways.
// Log records are what may be dropped here, and counted; answers to the engine's questions never are.

const net = process.getBuiltinModule('node:net');
const { StringDecoder } = process.getBuiltinModule('node:string_decoder');


const MAX_LINE = 64 << 20;
/** Log bytes that may wait for the engine before records are dropped. */
const MAX_WAITING = 1 << 20;
const MAX_MESSAGE = 16 << 10;

/** @type {net.Socket | undefined} */
let socket;
let batch = '';
let batchBytes = 0;
let scheduled = false;
let dropped = 0;

/**
 * Opens the channel. The engine's messages wait in the socket until the returned function gets the operations by name.
 * @param {number} fd
 */
export function openControl(fd) {
  socket = new net.Socket({ fd, readable: true, writable: true });
  socket.on('drain', reportDropped);
  // Without the engine there is nobody left to work for.
  const end = process.reallyExit.bind(process);
  socket.on('error', () => end(1));
  socket.on('close', () => end(0));
  return listen;
}

/** @param {Record<string, (message: any) => void>} operations by `op` */
function listen(operations) {
  const decoder = new StringDecoder('utf8');
  let parts = [];
  let waiting = 0;
  socket.on('data', (chunk) => {
    let text = decoder.write(chunk);
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n')) {
      parts.push(text.slice(0, at));
      const line = parts.join('');
      parts = [];
      waiting = 0;
      text = text.slice(at + 1);
      if (line !== '') dispatch(line, operations);
    }
    if (text === '') return;
    parts.push(text);
    waiting += text.length;
    if (waiting > MAX_LINE) throw new Error('a control message is longer than 64 MiB');
  });
}

function dispatch(line, operations) {
  const message = JSON.parse(line);
  const operation = Object.hasOwn(operations, message.op) ? operations[message.op] : undefined;
  if (operation === undefined) record('warn', '', 0, '', `The engine asked for "${message.op}", which this runtime does not know.`);
  else operation(message);
}

/** Sends an event at the end of this turn. */
export function send(event) {
  append(JSON.stringify(event));
}

function append(line) {
  batch += line;
  batch += '\n';
  batchBytes += line.length + 1;
  if (scheduled) return;
  scheduled = true;
  setImmediate(flush);
}

/** Writes what waits. */
export function flush() {
  scheduled = false;
  const text = batch;
  batch = '';
  batchBytes = 0;
  if (text !== '' && socket !== undefined) socket.write(text);
}

/** Sends a log record, or counts it when the engine does not keep up. */
export function record(level, name, version, requestId, message) {
  if (socket === undefined || socket.writableLength + batchBytes > MAX_WAITING) {
    dropped += 1;
    return;
  }
  const event = { ev: 'log', level, function: name, version, requestId, time: Date.now(), message: cut(message) };
  append(JSON.stringify(event));
}

function cut(message) {
  if (message.length * 3 <= MAX_MESSAGE) return message;
  const bytes = Buffer.byteLength(message);
  if (bytes <= MAX_MESSAGE) return message;
  const head = Buffer.from(message.slice(0, MAX_MESSAGE)).subarray(0, MAX_MESSAGE - 64);
  return `${new StringDecoder('utf8').write(head)}… [cut: ${bytes} bytes]`;
}

function reportDropped() {
  if (dropped === 0) return;
  const count = dropped;
  dropped = 0;
  record('warn', '', 0, '', `${count} log records were dropped: this app logs faster than they can be taken.`);
}

/** Calls back when everything sent so far is in the socket. */
export function whenSent(callback) {
  flush();
  socket.write('', callback);
}
