// Starts a Darter of its own for the benchmarks, and speaks its public API.
// It must never touch a server or a data directory that it did not make.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** A port that was free a moment ago. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })
}

/** Milliseconds with microseconds behind the point. */
export const now = () => Number(process.hrtime.bigint()) / 1e6

export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}

export const median = (values) => percentile(values, 0.5)

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** One `darter up` on a data directory. Use `Server.start`. */
export class Server {
  static newData() {
    return mkdtempSync(join(tmpdir(), 'darter-bench-'))
  }

  static async start(binary, data, environment = {}) {
    const port = await freePort()
    const admin = await freePort()
    const began = now()
    const args = ['up', '--data', data, '--listen', `127.0.0.1:${port}`, '--admin-listen', `127.0.0.1:${admin}`]
    const child = spawn(binary, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, DARTER_LOG: 'warn', DARTER_ENGINE_ENVIRONMENTS: '', ...environment },
    })
    const ready = await new Promise((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`darter up ended with ${code} before it was ready`)))
      createInterface(child.stdout).on('line', (line) => line.startsWith('ready ') && resolve(now()))
    })
    child.removeAllListeners('exit')
    return new Server(binary, data, port, child, ready - began)
  }

  constructor(binary, data, port, child, startMs) {
    Object.assign(this, { binary, data, port, child, startMs, token: '' })
  }

  /** Makes an administrator on the data directory and keeps its token. */
  signIn(name) {
    const made = spawnSync(this.binary, ['account', 'create', name, '--admin', '--token', '--json', '--data', this.data])
    if (made.status !== 0) throw new Error(`account create: ${made.stderr}`)
    this.token = JSON.parse(made.stdout).token
  }

  async api(method, path, body, headers = {}) {
    // While wrk ran, this process did nothing, and the connections it kept have ended: then a new one does.
    const send = () => fetch(`http://127.0.0.1:${this.port}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
    const answer = await send().catch(send)
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return text ? JSON.parse(text) : null
  }

  /** A new app with one published function. */
  async app(name, source, functionName = 'hello') {
    const app = await this.api('POST', '/apps', { name })
    await this.api('POST', `/apps/${app.id}/functions`, { name: functionName, source })
    await this.api('POST', `/apps/${app.id}/functions/${functionName}/publish`, {})
    return app
  }

  host(app) {
    return `${app.id}.darter-apps.localhost`
  }

  /** Proportional set size, in bytes, of the server's process and of the launcher below it. */
  memory() {
    const pss = (pid) => Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]) * 1024
    const children = (pid) => readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number))
    const launchers = children(this.child.pid).filter((pid) =>
      readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('darter'))
    return pss(this.child.pid) + launchers.reduce((sum, pid) => sum + pss(pid), 0)
  }

  async stop() {
    const gone = new Promise((resolve) => this.child.once('exit', resolve))
    this.child.kill('SIGTERM')
    await gone
  }

  static remove(data) {
    rmSync(data, { recursive: true, force: true })
  }
}
