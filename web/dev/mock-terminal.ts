// Development only: a terminal that says hello and echoes, over a WebSocket written by hand so that the mock needs nothing.
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const PROMPT = '\x1b[1;32muser\x1b[0m:\x1b[1;34m~\x1b[0m$ ';

function frame(kind: 1 | 2, text: string): Buffer {
  const body = Buffer.from(text);
  const head = body.length < 126 ? Buffer.from([0x80 | kind, body.length]) : Buffer.from([0x80 | kind, 126, body.length >> 8, body.length & 255]);
  return Buffer.concat([head, body]);
}

/** Takes small masked frames: what a browser sends for keys. */
function keysOf(chunk: Buffer): string {
  const length = (chunk[1] ?? 0) & 127;
  if (chunk.length < 6 || length > 125) return '';
  const mask = chunk.subarray(2, 6);
  const keys = chunk[0] === 0x82 ? chunk.subarray(6, 6 + length).map((byte, index) => byte ^ (mask[index % 4] ?? 0)) : [];
  return Buffer.from(keys).toString() + keysOf(chunk.subarray(6 + length));
}

export function terminalUpgrade(request: IncomingMessage, socket: Duplex): void {
  const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}${GUID}`).digest('base64');
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  socket.on('error', () => socket.destroy());
  if (!request.url?.includes('/terminal')) return void socket.end();
  socket.write(frame(1, JSON.stringify({ terminal: 'tm_1', replay: 0 })));
  socket.write(frame(2, `${PROMPT}git log --oneline -3\r\n\x1b[33m4f1c2aa\x1b[0m Explain the second model\r\n\x1b[33m90b7e1d\x1b[0m Draw figure 4 from the new data\r\n\x1b[33m1c88a02\x1b[0m Begin chapter 3\r\n${PROMPT}`));
  socket.on('data', (chunk: Buffer) => socket.write(frame(2, keysOf(chunk).replace('\r', `\r\n${PROMPT}`))));
}
