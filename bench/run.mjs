// `make bench`: every row of SPECIFICATION.md, ours beside the other's in the same run, as one table.
// It measures; it never judges: the exit code is 0 whatever the figures are.
// Usage: node bench/run.mjs --darter <binary> --node <node 24> [--quick] [--only apps|workspaces|runs] [--out <file>]
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { get, others, wrk } from './load.mjs'
import { Server, median, now, percentile, sleep } from './server.mjs'
import * as runs from './runs.mjs'
import * as workspaces from './workspaces.mjs'

const { values: options } = parseArgs({
  options: {
    darter: { type: 'string' },
    node: { type: 'string', default: process.execPath },
    out: { type: 'string', default: 'bench/results/latest.md' },
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: 'apps,workspaces,runs' },
  },
})
const times = (count) => (options.quick ? Math.max(3, Math.ceil(count / 10)) : count)
const HELLO = `export default async function () { return 'Hello from Darter' }\n`
const rows = []
const row = (what, figure, other, atLeast, aim) => {
  rows.push([what, figure, other, atLeast, aim])
  console.error(`  ${what}: ${figure}${other ? ` (other: ${other})` : ''}`)
}
const ms = (value) => `${value.toFixed(value < 10 ? 2 : 0)} ms`

async function limit(server, app, change) {
  const { limits, revision } = await server.api('GET', `/apps/${app.id}`)
  await server.api('PATCH', `/apps/${app.id}`, { limits: { ...limits, ...change } }, { 'if-match': `"${revision}"` })
}

async function untilInstances(server, app, wanted) {
  for (let attempt = 0; attempt < 600; attempt++) {
    const { items } = await server.api('GET', `/apps/${app.id}/instances`)
    if (wanted(items)) return
    await sleep(50)
  }
  throw new Error('the instances never came to the wanted state')
}

async function throughput(server) {
  const app = await server.app('throughput', HELLO)
  // The usual 20,000 requests per second and client are fewer than this load makes.
  await limit(server, app, { rate_app: 1_000_000, rate_client: 1_000_000 })
  const other = await others(options.node, 'Hello from Darter')
  const ours = `http://127.0.0.1:${server.port}/hello`
  const theirs = `http://127.0.0.1:${other.front}/hello`
  const bare = `http://127.0.0.1:${other.bare}/hello`
  const seconds = options.quick ? 1 : 4
  for (const [url, host] of [[ours, server.host(app)], [theirs, 'x'], [bare, 'x']]) wrk(url, host, { connections: 64, seconds: 1 })
  const rate = { ours: [], theirs: [] }
  const low = { ours: [], bare: [] }
  for (let round = 0; round < times(5); round++) {
    rate.ours.push(wrk(ours, server.host(app), { connections: 64, seconds }).rate)
    rate.theirs.push(wrk(theirs, 'x', { connections: 64, seconds }).rate)
    low.ours.push(wrk(ours, server.host(app), { connections: 1, seconds: 1 }).p50)
    low.bare.push(wrk(bare, 'x', { connections: 1, seconds: 1 }).p50)
  }
  other.stop()
  const [a, b] = [median(rate.ours), median(rate.theirs)]
  row('requests/s, hello, 64 connections ÷ nginx + node:http', `${(a / b).toFixed(2)} (${a.toFixed(0)}/s)`, `${b.toFixed(0)}/s`, '0.8', '≥ 1.0')
  const [c, d] = [median(low.ours), median(low.bare)]
  row('time added to a bare node:http answer, p50, one connection', `${(c - d).toFixed(0)} µs (${c.toFixed(0)})`, `${d.toFixed(0)} µs`, '300 µs', '100 µs')
}

async function publish(server) {
  const app = await server.app('publish', HELLO)
  await get(server.port, server.host(app), '/hello')
  const took = []
  for (let turn = 0; turn < times(40); turn++) {
    const began = now()
    await server.api('POST', `/apps/${app.id}/functions/hello/publish`, { source: `export default async () => 'turn ${turn}'\n` })
    while ((await get(server.port, server.host(app), '/hello')).body !== `turn ${turn}`);
    took.push(now() - began)
  }
  row('publish until the new version answers, p50', ms(median(took)), '', '60 ms', '20 ms')
}

/** First answers of apps that have no instance. `settle` gives the pool time to fill between two. */
async function cold(server, count, settle, make) {
  const took = []
  for (let turn = 0; turn < count; turn++) {
    const app = await make(turn)
    await sleep(settle)
    const answer = await get(server.port, server.host(app), '/hello')
    if (answer.status !== 200) throw new Error(`cold start answered ${answer.status}: ${answer.body}`)
    took.push(answer.ms)
    await server.api('POST', `/apps/${app.id}/stop`)
  }
  return took
}

async function bundle(server) {
  const app = await server.app('bundle', `import * as three from 'three'\nexport default async () => three.REVISION\n`)
  await server.api('PUT', `/apps/${app.id}/dependencies`, { packages: { three: '0.160.0' } })
  for (let state = 'running'; state === 'running'; await sleep(200)) {
    const { install } = await server.api('GET', `/apps/${app.id}/dependencies`)
    if (install?.state === 'failed') throw new Error(`install: ${install.message}`)
    state = install?.state ?? 'running'
  }
  return cold(server, times(30), 400, async () => {
    await server.api('POST', `/apps/${app.id}/stop`)
    await server.api('POST', `/apps/${app.id}/start`)
    await untilInstances(server, app, (items) => items.length === 0)
    return app
  })
}

async function frozen(server) {
  const app = await server.app('frozen', HELLO)
  await limit(server, app, { freeze_after_ms: 500, stop_after_ms: 600_000 })
  const took = []
  for (let turn = 0; turn < times(30); turn++) {
    await get(server.port, server.host(app), '/hello')
    await untilInstances(server, app, (items) => items.length === 1 && items[0].state === 'frozen')
    took.push((await get(server.port, server.host(app), '/hello')).ms)
  }
  row('first answer of an app that is frozen, p50', ms(median(took)), '', '6 ms', '2 ms')
}

async function thousand(data, environment) {
  let server = await Server.start(options.darter, data, environment)
  server.signIn('thousand')
  await server.api('PATCH', '/admin/settings', { signup: 'open', apps_per_account: 100000 })
  for (let index = 0; index < 1000; index += 20) {
    await Promise.all(Array.from({ length: 20 }, (_, offset) => server.app(`app ${index + offset}`, HELLO)))
  }
  await server.stop()
  const starts = []
  const memory = []
  for (let round = 0; round < times(5); round++) {
    server = await Server.start(options.darter, data, environment)
    starts.push(server.startMs)
    await sleep(1500)
    memory.push(server.memory())
    await server.stop()
  }
  row('memory (PSS) of the server with 1,000 apps, none running', `${(median(memory) / 1e6).toFixed(0)} MB`, '', '200 MB', '100 MB')
  row('start of darter up until ready, with those 1,000 apps', ms(median(starts)), '', '2 s', '0.5 s')
}

/** A row that fails shall not take the others with it. */
async function attempt(what, measure) {
  try {
    await measure()
  } catch (error) {
    console.error(error)
    row(what, 'not measured: ' + String(error.message).split('\n')[0], '', '', '')
  }
}

async function firstAnswers(server) {
  const took = await cold(server, times(100), 250, (turn) => server.app(`cold ${turn}`, HELLO))
  row('first answer of a stopped app, pool filled, p50 / p99', `${ms(median(took))} / ${ms(percentile(took, 0.99))}`, '', '15 / 60 ms', '4 / 15 ms')
}

async function withoutPool(server) {
  const took = await cold(server, times(30), 50, (turn) => server.app(`empty ${turn}`, HELLO))
  row('the same, pool empty, p50', ms(median(took)), '', '80 ms', '40 ms')
}

async function bigBundle(server) {
  row('the same with a 1 MB bundle of dependencies, pool filled, p50', ms(median(await bundle(server))), '', '40 ms', '8 ms')
}

/** On a data directory of their own: installing two environments takes minutes, and happens once. */
async function editors() {
  const data = Server.newData()
  // One account stands for a class.
  const both = { DARTER_ENGINE_ENVIRONMENTS: 'vscode,jupyter', DARTER_WORKSPACES_PER_ACCOUNT: '200' }
  let server = await Server.start(options.darter, data, both)
  server.signIn('bench-editors')
  await workspaces.installed(server)
  const tools = { row, ms, times }
  await attempt('workspaces, pool filled', () => workspaces.withPool(server, tools))
  await attempt('workspaces, Chromium', () => workspaces.withBrowser(server, tools))
  const kept = process.env.DARTER_CACHE ?? tmpdir()
  await attempt('workspaces, JupyterHub', () => workspaces.besideJupyterHub(server, tools, { cache: kept, node: options.node }))
  await server.stop()
  server = await Server.start(options.darter, data, { ...both, DARTER_WORKSPACES_POOL_MOST: '0', DARTER_WORKSPACES_POOL_LEAST: '0' })
  server.signIn('bench-editors-empty')
  await attempt('workspaces, pool empty', () => workspaces.withoutPool(server, tools))
  await server.stop()
  Server.remove(data)
}

async function apps() {
  const data = Server.newData()
  let server = await Server.start(options.darter, data)
  server.signIn('bench')
  await server.api('PATCH', '/admin/settings', { signup: 'open', apps_per_account: 100000 })
  await attempt('throughput', () => throughput(server))
  await attempt('publish', () => publish(server))
  await attempt('stopped', () => firstAnswers(server))
  await attempt('stopped, 1 MB bundle', () => bigBundle(server))
  await attempt('frozen', () => frozen(server))
  await server.stop()
  server = await Server.start(options.darter, data, { DARTER_ENGINE_POOL_SIZE: '0' })
  server.signIn('bench-empty')
  await attempt('stopped, pool empty', () => withoutPool(server))
  await server.stop()
  Server.remove(data)
  const many = Server.newData()
  await attempt('1,000 apps', () => thousand(many, {}))
  Server.remove(many)
}

async function snippets() {
  const data = Server.newData()
  const server = await Server.start(options.darter, data)
  server.signIn('bench-runs')
  await runs.rows(server, { row, ms, times, quick: options.quick })
  await server.stop()
  Server.remove(data)
}

async function main() {
  const wanted = options.only.split(',')
  if (wanted.includes('apps')) await attempt('apps', apps)
  if (wanted.includes('runs')) await attempt('runs', snippets)
  if (wanted.includes('workspaces')) await attempt('workspaces', editors)
}

function table() {
  const head = ['what', 'ours', 'other', 'at least', 'aim']
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`)
  const model = /model name\s*:\s*(.*)/.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? 'unknown'
  return `${lines.join('\n')}\n\nMeasured ${new Date().toISOString()} on ${cpus().length} × ${model}. Medians; loads and servers share the cores.\n`
}

try {
  await main()
} catch (error) {
  console.error(`bench stopped early: ${error.stack}`)
}
mkdirSync(dirname(options.out), { recursive: true })
writeFileSync(options.out, table())
console.log(table())
