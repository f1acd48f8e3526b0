// Rows of workspaces: how soon an editor answers, from every state; what a workspace costs; many at once.
// What is asked is VS Code's own server (`/version`) and the page, through the gateway, as a browser's request arrives.
import { readFileSync, readdirSync } from 'node:fs'
import { clicks, opened, withPassword } from './browser.mjs'
import { spawns } from './jupyterhub.mjs'
import { get } from './load.mjs'
import { median, now, percentile, sleep } from './server.mjs'

const ENVIRONMENTS = ['vscode', 'jupyter']

async function until(what, look, seconds = 60) {
  const end = now() + seconds * 1000
  for (;;) {
    const found = await look()
    if (found) return found
    if (now() > end) throw new Error(`${what} did not come about within ${seconds} s`)
    await sleep(20)
  }
}

/** Waits until the environments that are measured are installed. */
export async function installed(server, minutes = 15) {
  await until('the environments', async () => {
    const { items } = await server.api('GET', '/environments')
    const states = items.filter((item) => ENVIRONMENTS.includes(item.name))
    const broken = states.find((item) => item.state === 'broken')
    if (broken) throw new Error(`${broken.name}: ${broken.message ?? 'its install is broken'}`)
    return states.length === ENVIRONMENTS.length && states.every((item) => item.state === 'installed')
  }, minutes * 60)
}

const hostOf = (workspace) => new URL(workspace.addresses.editor).hostname
const headers = (server) => ({ 'darter-token': server.token })

async function create(server, name, environment, depth = 'full') {
  return server.api('POST', '/workspaces', { name, environment, depth })
}

/** The editor's first good answer at `path`, in milliseconds after `began`. */
async function answers(server, workspace, path, began) {
  await until(`${path} of ${workspace.id}`, async () => {
    const answer = await get(server.port, hostOf(workspace), path, { ...headers(server), accept: 'text/html' })
    if (answer.status >= 500 || answer.status === 429) await sleep(5)
    else if (answer.status >= 400) throw new Error(`${path}: ${answer.status} ${answer.body.slice(0, 300)}`)
    return answer.status < 400
  })
  return now() - began
}

async function gone(server, workspace) {
  await server.api('DELETE', `/workspaces/${workspace.id}`)
  await server.api('DELETE', `/workspaces/${workspace.id}/purge`)
}

async function state(server, workspace, wanted, seconds) {
  await until(`${workspace.id} ${wanted}`, async () =>
    (await server.api('GET', `/workspaces/${workspace.id}`)).observed.state === wanted, seconds)
}

/** New workspaces, one after the other; `settle` gives the pool time to fill between two. */
export async function creations(server, { environment, path, count, settle }) {
  const took = []
  for (let turn = 0; turn < count; turn++) {
    await sleep(settle)
    const began = now()
    const workspace = await create(server, `new ${environment} ${turn}`, environment)
    took.push(await answers(server, workspace, path, began))
    await gone(server, workspace)
  }
  return took
}

/** Freezes a second after the last word. */
async function restSoon(server, workspace) {
  const { revision, rest } = await server.api('GET', `/workspaces/${workspace.id}`)
  const soon = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, /freeze/.test(key) ? 1000 : value]))
  await server.api('PATCH', `/workspaces/${workspace.id}`, { rest: soon }, { 'if-match': `"${revision}"` })
}

/** First answers of one workspace that rests in `rest`: `frozen` or `stopped`. */
export async function wakes(server, { rest, count }) {
  const workspace = await create(server, `wakes from ${rest}`, 'vscode')
  await answers(server, workspace, '/version', now())
  if (rest === 'frozen') await restSoon(server, workspace)
  const took = []
  for (let turn = 0; turn < count; turn++) {
    if (rest === 'stopped') await server.api('POST', `/workspaces/${workspace.id}/stop`)
    await state(server, workspace, rest)
    took.push(await answers(server, workspace, '/version', now()))
  }
  await gone(server, workspace)
  return took
}

function descendants(pid) {
  let tasks = []
  try {
    tasks = readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
  const below = tasks.flatMap((task) => {
    try {
      return readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
    } catch {
      return []
    }
  })
  return below.flatMap((child) => [child, ...descendants(child)])
}

/** Proportional set size of these processes, in bytes. */
function pss(pids) {
  return pids.reduce((sum, pid) => {
    try {
      return sum + Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]) * 1024
    } catch {
      return sum
    }
  }, 0)
}

/** Processes of this workspace: those below the sandbox whose attendant is new. */
function attendants(server) {
  return descendants(server.child.pid).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('/darter/attendant')
    } catch {
      return false
    }
  })
}

/** The median of what five workspaces of a kind cost at once, `meanwhile` being done to them first (it may give what ends it). No pool. */
async function memory(server, depth, meanwhile) {
  const before = new Set(attendants(server))
  const made = []
  for (let turn = 0; turn < 5; turn++) {
    const workspace = await create(server, `memory ${depth} ${turn}`, 'vscode', depth)
    await answers(server, workspace, depth === 'full' ? '/version' : '/', now())
    await state(server, workspace, 'running')
    made.push(workspace)
  }
  const end = await meanwhile(made)
  const each = attendants(server).filter((pid) => !before.has(pid))
  if (each.length !== made.length) throw new Error(`${each.length} attendants of ${made.length} workspaces`)
  const bytes = each.map((pid) => pss([pid, ...descendants(pid)]))
  await end?.()
  for (const workspace of made) await gone(server, workspace)
  return median(bytes)
}

/** Frozen at once, and pushed out: what they still cost when nobody has been there for long. */
async function asleep(server, workspaces) {
  for (const workspace of workspaces) await restSoon(server, workspace)
  for (const workspace of workspaces) await state(server, workspace, 'reclaimed', 180)
  await sleep(3000)
}

/** Memory is only pushed out where it can go. */
const hasSwap = () => readFileSync('/proc/swaps', 'utf8').trim().split('\n').length > 1

/** `count` workspaces within a minute: how long each took until its page, and how many failed. */
export async function rush(server, count) {
  const results = await Promise.allSettled(Array.from({ length: count }, async (_, index) => {
    await sleep((index * 60_000) / count)
    const began = now()
    const workspace = await create(server, `rush ${index}`, 'vscode', index % 2 ? 'light' : 'full')
    return { workspace, ms: await answers(server, workspace, '/', began) }
  }))
  const good = results.filter((result) => result.status === 'fulfilled').map((result) => result.value)
  const failed = results.filter((result) => result.status === 'rejected')
  failed.slice(0, 3).forEach((result) => console.error(String(result.reason)))
  for (const { workspace } of good) await gone(server, workspace)
  return { failed: failed.length, p99: percentile(good.map((one) => one.ms), 0.99) }
}

/** Rows of a server that has a pool, into `row(what, figure, other, at least, aim)`. */
export async function withPool(server, { row, ms, times }) {
  const pair = (took) => `${ms(median(took))} / ${ms(percentile(took, 0.99))}`
  const vscode = { environment: 'vscode', count: times(20), settle: 2500 }
  row("create → VS Code's own server answers, pool filled, p50 / p99", pair(await creations(server, { ...vscode, path: '/version' })), '', '200 / 500 ms', '80 / 200 ms')
  row('create → page answers, p50', ms(median(await creations(server, { ...vscode, path: '/' }))), '', '60 ms', '15 ms')
  const jupyter = { environment: 'jupyter', count: times(10), settle: 3500, path: '/lab' }
  row("create → JupyterLab's page, pool filled, p50", ms(median(await creations(server, jupyter))), '', '150 ms', '50 ms')
  row("create → JupyterLab's own server answers, pool filled, p50", ms(median(await creations(server, { ...jupyter, path: '/api/status' }))), '', '', '')
  row('frozen → its server answers, p50', ms(median(await wakes(server, { rest: 'frozen', count: times(10) }))), '', '20 ms', '5 ms')
  const { failed, p99 } = await rush(server, times(100))
  row(`${times(100)} workspaces created within a minute: failed / p99 until the page`, `${failed} / ${ms(p99)}`, '', '0 / –', '0 / 5 s')
}

/** Rows of a person with a browser. */
export async function withBrowser(server, { row, ms, times }) {
  await withPassword(server, 'bench-editors')
  for (const [depth, aims] of [['full', '2.5 / 1.2 s'], ['light', '2 / 1 s']]) {
    const took = await clicks(server, 'bench-editors', depth, times(10), () => sleep(2500))
    row(`click → file tree of a new ${depth} workspace in Chromium, cache cold / warm, p50`, `${ms(median(took.cold))} / ${ms(median(took.warm))}`, '', '3.5 / 2.5 s', aims)
    row('the same, the second workspace of a browser', ms(median(took.second)), '', '', '')
  }
}

/** The row of JupyterHub: the page, and the server itself, which is what a spawn waits for there. */
export async function besideJupyterHub(server, { row, ms, times }, { cache, node }) {
  const theirs = median(await spawns(cache, node, times(10)))
  const jupyter = { environment: 'jupyter', count: times(10), settle: 3500 }
  for (const [what, path] of [['/lab', '/lab'], ['its server', '/api/status']]) {
    const ours = median(await creations(server, { ...jupyter, path }))
    row(`create → ${what} ÷ JupyterHub's spawn → /lab`, `${(ours / theirs).toFixed(2)} (${ms(ours)})`, ms(theirs), '0.3', '0.1')
  }
}

/** Rows of a server without one. */
export async function withoutPool(server, { row, ms, times }) {
  const count = times(10)
  const vscode = { environment: 'vscode', count, settle: 300, path: '/version' }
  row("create → VS Code's own server answers, pool empty, p50", ms(median(await creations(server, vscode))), '', '600 ms', '300 ms')
  row('stopped → its server answers, pool empty, p50', ms(median(await wakes(server, { rest: 'stopped', count }))), '', '600 ms', '300 ms')
  const jupyter = { environment: 'jupyter', count, settle: 300, path: '/lab' }
  row("create → JupyterLab's page, pool empty, p50", ms(median(await creations(server, jupyter))), '', '400 ms', '200 ms')
  row("create → JupyterLab's own server answers, pool empty, p50", ms(median(await creations(server, { ...jupyter, path: '/api/status' }))), '', '', '')
  const mb = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`
  const alone = () => sleep(5000)
  row('memory (PSS) of a full workspace, no browser, one of five', mb(await memory(server, 'full', alone)), '', '60 MB', '40 MB')
  row('memory (PSS) of a light workspace, no browser, one of five', mb(await memory(server, 'light', alone)), '', '20 MB', '6 MB')
  await withPassword(server, 'bench-editors-empty')
  for (const [depth, least, aim] of [['full', '300 MB', '250 MB'], ['light', '20 MB', '6 MB']]) {
    const open = (made) => opened(server, 'bench-editors-empty', made.map((one) => one.addresses.editor), depth, 10_000)
    row(`memory (PSS) of a ${depth} workspace, open in a browser, one of five`, mb(await memory(server, depth, open)), '', least, aim)
  }
  if (!hasSwap()) return row('memory (PSS) of a full workspace, frozen and pushed out', 'this machine has no swap', '', '25 MB', '8 MB')
  row('memory (PSS) of a full workspace, frozen and pushed out', mb(await memory(server, 'full', (made) => asleep(server, made))), '', '25 MB', '8 MB')
}
