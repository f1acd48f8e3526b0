// Requests as they are, without a library's own ideas about hosts, redirects or bodies.
import { randomBytes } from 'node:crypto'
import { request } from 'node:http'

/** One request; the whole answer. `options.body`: text or bytes. */
export function call(port, path, options = {}) {
  return new Promise((resolve, reject) => {
    const sent = send(port, path, options)
    sent.once('error', reject)
    sent.once('response', (response) => {
      const chunks = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.once('error', reject)
      response.once('end', () => {
        const body = Buffer.concat(chunks)
        resolve({ status: response.statusCode, headers: response.headers, body, text: body.toString('utf8') })
      })
    })
    sent.end(options.body)
  })
}

/** A request whose body and answer the caller streams. */
export function send(port, path, { method = 'GET', headers = {}, agent } = {}) {
  return request({ host: '127.0.0.1', port, path, method, headers, agent: agent ?? false })
}

/** A WebSocket of small text messages. Node's own asks the system's resolver, which may not know `*.localhost`. */
export function webSocket(port, path, host) {
  const headers = {
    host, connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13',
    'sec-websocket-key': randomBytes(16).toString('base64'),
  }
  return new Promise((resolve, reject) => {
    const sent = send(port, path, { headers })
    sent.once('error', reject)
    sent.once('response', (response) => reject(new Error(`no upgrade, but ${response.statusCode}`)))
    sent.once('upgrade', (_, socket, head) => resolve(messages(socket, head)))
    sent.end()
  })
}

function messages(socket, head) {
  const waiting = []
  const ready = []
  let rest = head
  const take = () => {
    while (rest.length >= 2) {
      const extended = (rest[1] & 127) === 126
      const start = extended ? 4 : 2
      if (rest.length < start) return
      const length = extended ? rest.readUInt16BE(2) : rest[1] & 127
      if (rest.length < start + length) return
      const [kind, body] = [rest[0] & 15, rest.subarray(start, start + length)]
      rest = rest.subarray(start + length)
      const message = kind === 1 ? body.toString() : { kind, body }
      if (waiting.length > 0) waiting.shift()(message)
      else ready.push(message)
    }
  }
  socket.on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk])
    take()
  })
  take()
  return {
    next: () => (ready.length > 0 ? Promise.resolve(ready.shift()) : new Promise((resolve) => waiting.push(resolve))),
    say(text) {
      const mask = randomBytes(4)
      const body = Buffer.from(text).map((byte, index) => byte ^ mask[index % 4])
      socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | body.length]), mask, body]))
    },
    close: () => socket.destroy(),
  }
}
