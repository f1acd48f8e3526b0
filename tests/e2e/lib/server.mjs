// A real `darter up` on free ports and on a data directory of its own.
// It must never touch a process that it did not start, and never let a warning in the server's log pass unseen.
import { strict as assert } from 'node:assert'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { call } from './http.mjs'
import { descendants, leftovers, lives } from './traces.mjs'

export const DARTER = process.env.DARTER_BIN ?? 'darter'
const ROOT = process.getuid() === 0
const ACCOUNT = 7070
/** Installed runtimes and environments are kept between runs: a first start takes seconds, an editor minutes. */
const SHARED = join('/var/tmp', `darter-e2e-${process.getuid()}`)
const KEPT = ['runtimes', 'environments']

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Asks again until the answer is true. Fails with what was waited for. */
export async function until(what, ask, seconds = 30) {
  const end = Date.now() + seconds * 1000
  for (;;) {
    const answer = await ask()
    if (answer) return answer
    assert(Date.now() < end, `waited ${seconds} s in vain: ${what}`)
    await sleep(25)
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })
}

/** The environment of a command: nothing of the developer's own Darter but where this machine finds packages. */
export function environment(extra = {}) {
  const registries = /^DARTER_ENGINE_(REGISTRY|REGISTRY_HOSTS|PYPI|CERTIFICATES)$/
  const own = Object.entries(process.env).filter(([name]) => registries.test(name) || !/^DARTER_|^NODE_(OPTIONS|TEST)/.test(name))
  // Hundreds of megabytes: a test that needs an environment says so.
  const without = { DARTER_ENGINE_ENVIRONMENTS: '' }
  return { ...Object.fromEntries(own), ...without, DARTER_ENGINE_DOWNLOADS: join(SHARED, 'downloads'), ...extra }
}

/** Where pip on this machine finds packages, as the engine is told: a mirror's private address is reached only by name. */
export function pythonIndex() {
  if (process.env.DARTER_ENGINE_PYPI) return {}
  const folder = mkdtempSync(join(tmpdir(), 'darter-e2e-pip-'))
  const words = ['-m', 'pip', 'download', '-vvv', '--no-deps', '--no-cache-dir', '--dest', folder, 'six']
  const { stdout } = spawnSync('python3', words, { encoding: 'utf8', timeout: 120_000 })
  rmSync(folder, { recursive: true, force: true })
  const index = /\(from (https?:\/\/\S+)\/six\/\)/.exec(stdout ?? '')?.[1]
  if (!index) return {}
  const hosts = new Set([...stdout.matchAll(/https:\/\/([^/\s:]+)\//g)].map(([, host]) => host))
  return { DARTER_ENGINE_PYPI: index, DARTER_ENGINE_REGISTRY_HOSTS: [...hosts].join(',') }
}

export class Server {
  static #data = new Set()

  /** A new data directory with the runtime of an earlier run in it, if there was one. */
  static newData({ environments = false } = {}) {
    const data = mkdtempSync(join(tmpdir(), 'darter-e2e-'))
    mkdirSync(join(SHARED, 'downloads'), { recursive: true, mode: 0o755 })
    if (ROOT) {
      chownSync(data, ACCOUNT, ACCOUNT)
      chownSync(join(SHARED, 'downloads'), ACCOUNT, ACCOUNT)
    }
    chmodSync(data, 0o700)
    for (const kind of environments ? KEPT : ['runtimes']) {
      if (existsSync(join(SHARED, kind))) assert.equal(spawnSync('cp', ['-al', join(SHARED, kind), data]).status, 0)
    }
    Server.#data.add(data)
    return data
  }

  static async start({ data = Server.newData(), args = [], env = {}, expect = [], port } = {}) {
    const server = new Server()
    Object.assign(server, { data, port: port ?? (await freePort()), admin: await freePort(), log: [], expect })
    const words = ['up', '--data', data, '--listen', `127.0.0.1:${server.port}`, '--admin-listen', `127.0.0.1:${server.admin}`]
    server.child = spawn(DARTER, [...words, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: environment({ DARTER_SSH_LISTEN: '127.0.0.1:0', ...env }) })
    server.ended = new Promise((resolve) => server.child.once('exit', (code, signal) => resolve({ code, signal })))
    createInterface(server.child.stderr).on('line', (line) => server.log.push(line))
    server.ready = await new Promise((resolve, reject) => {
      createInterface(server.child.stdout).on('line', resolve)
      server.ended.then(({ code }) => reject(new Error(`darter up ended with ${code}:\n${server.log.join('\n')}`)))
    })
    assert.match(server.ready, new RegExp(`^ready http://darter\\.localhost:${server.port}$`))
    return server
  }

  get url() {
    return `http://darter.localhost:${this.port}`
  }

  host(app) {
    return `${app.id ?? app}.darter-apps.localhost`
  }

  /** A request to an app. */
  app(app, path, options = {}) {
    return call(this.port, path, { ...options, headers: { host: `${this.host(app)}:${this.port}`, ...options.headers } })
  }

  /** A request to the public API with the administrator's token. Throws on an error answer. */
  async api(method, path, body, headers = {}) {
    const answer = await this.tryApi(method, path, body, headers)
    assert(answer.status < 400, `${method} ${path}: ${answer.status} ${answer.text}`)
    return answer.text ? JSON.parse(answer.text) : null
  }

  tryApi(method, path, body, headers = {}) {
    return call(this.port, `/api/v1${path}`, {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: {
        host: `darter.localhost:${this.port}`,
        ...(this.token ? { authorization: `Bearer ${this.token}` } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
    })
  }

  /** Sends bytes as they are. */
  async put(path, body) {
    const headers = { host: `darter.localhost:${this.port}`, authorization: `Bearer ${this.token}`, 'content-type': 'application/octet-stream' }
    const answer = await call(this.port, `/api/v1${path}`, { method: 'PUT', body, headers })
    assert(answer.status < 400, `PUT ${path}: ${answer.status} ${answer.text}`)
  }

  /** Makes an account on the data directory beside the running server, as an operator does. */
  operator(name = 'operator') {
    const made = this.cli(['account', 'create', name, '--admin', '--token', '--json', '--data', this.data])
    this.token = JSON.parse(made).token
    return this.token
  }

  /** Runs the command line; its standard output. Fails when the exit code is another. */
  cli(words, { code = 0, input, env = {} } = {}) {
    const ran = spawnSync(DARTER, words, {
      input,
      encoding: 'utf8',
      env: environment({ DARTER_URL: this.url, ...(this.token ? { DARTER_TOKEN: this.token } : {}), ...env }),
      timeout: 120_000,
    })
    assert.equal(ran.status, code, `darter ${words.join(' ')}: ${ran.status}\n${ran.stdout}\n${ran.stderr}`)
    return code === 0 ? ran.stdout : ran.stderr
  }

  async makeApp(name, functions) {
    const app = await this.api('POST', '/apps', { name })
    for (const [name, source] of Object.entries(functions)) await this.publish(app, name, source)
    return app
  }

  async publish(app, name, source) {
    const path = `/apps/${app.id}/functions`
    const there = await this.tryApi('GET', `${path}/${encodeURIComponent(name)}`)
    if (there.status === 404) await this.api('POST', path, { name, source })
    return this.api('POST', `${path}/${encodeURIComponent(name)}/publish`, { source })
  }

  logs(app, query = '') {
    return this.api('GET', `/apps/${app.id}/logs?limit=1000${query}`)
  }

  /** Ends it as Ctrl-C does, and checks that nothing of it is left anywhere. */
  async stop() {
    const family = descendants(this.child.pid)
    this.child.kill('SIGINT')
    const { code } = await this.ended
    assert.equal(code, 0, `darter up ended with ${code}:\n${this.log.slice(-20).join('\n')}`)
    await this.#nothingLeft(family)
    this.#quiet()
  }

  /** kill -9, at whatever it does now. */
  async kill() {
    const family = descendants(this.child.pid)
    this.child.kill('SIGKILL')
    await this.ended
    await this.#nothingLeft(family)
  }

  async #nothingLeft(family) {
    await until('every process of the server has ended', () => family.every((one) => !lives(one)), 15)
    await until('nothing is left', () => leftovers(this.data).length === 0, 15).catch(() => assert.deepEqual(leftovers(this.data), []))
  }

  /** A warning or an error in the log that no test expects is a failure. */
  #quiet() {
    const bad = this.log.map(read).filter(({ level }) => level !== 'fine')
    const unlisted = bad.filter(({ text }) => !this.expect.some((pattern) => pattern.test(text)))
    assert.deepEqual(unlisted.map(({ text }) => text), [], 'unlisted warnings in the log of the server')
  }

  /** Waits until environments are installed; on a machine that has none yet this takes minutes. */
  async installed(names) {
    for (const name of names) {
      await until(`${name} is installed`, async () => {
        const { state, trouble } = await this.api('GET', `/environments/${name}`)
        assert.notEqual(state, 'broken', trouble?.message)
        return state === 'installed'
      }, 1_500)
    }
    Server.#keep(this.data, 'environments')
  }

  /** Keeps what was installed for later runs, as whole folders. What is new replaces what an older version left. */
  static #keep(data, kind) {
    const [from, to] = [join(data, kind), join(SHARED, kind)]
    if (!existsSync(from)) return
    const fresh = mkdtempSync(join(SHARED, `${kind}-`))
    assert.equal(spawnSync('cp', ['-al', `${from}/.`, fresh]).status, 0)
    const { uid, gid, mode } = statSync(from)
    chownSync(fresh, uid, gid)
    chmodSync(fresh, mode & 0o777)
    rmSync(to, { recursive: true, force: true })
    renameSync(fresh, to)
  }

  /** Keeps the installed runtime for later runs, and removes every data directory. */
  static cleanUp() {
    for (const data of Server.#data) {
      if (!existsSync(join(SHARED, 'runtimes'))) Server.#keep(data, 'runtimes')
      rmSync(data, { recursive: true, force: true, maxRetries: 3 })
    }
  }
}

function read(text) {
  try {
    const { level } = JSON.parse(text)
    return { level: level === 'WARN' || level === 'ERROR' ? level : 'fine', text }
  } catch {
    return { level: /panicked|ERROR|WARN/.test(text) ? 'ERROR' : 'fine', text }
  }
}
