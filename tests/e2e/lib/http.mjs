// Requests as they are, without a library's own ideas about hosts, redirects or bodies.
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
