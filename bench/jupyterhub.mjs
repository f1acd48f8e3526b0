// The other side of a workspace: JupyterHub of PyPI with its own proxy and its simplest spawner (no isolation at all), from
// the request that spawns until `/lab` answers 200. Lives in a folder of its own, which is kept for the next run.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, now, sleep } from './server.mjs'

const HUB = '6.1.1'
const LAB = '4.6.6'
const PROXY = '5.3.0'

function run(program, args, options = {}) {
  const ended = spawnSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'], ...options })
  if (ended.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${ended.stderr ?? ended.error}`)
}

/** Installs it once; answers its folder. */
function installed(cache) {
  const home = join(cache, 'bench', `jupyterhub-${HUB}-lab-${LAB}-proxy-${PROXY}`)
  if (existsSync(join(home, 'done'))) return home
  rmSync(home, { recursive: true, force: true })
  mkdirSync(home, { recursive: true })
  run('python3', ['-m', 'venv', join(home, 'venv')])
  run(join(home, 'venv/bin/pip'), ['install', '--quiet', `jupyterhub==${HUB}`, `jupyterlab==${LAB}`])
  run('npm', ['install', '--prefix', home, '--no-audit', '--no-fund', `configurable-http-proxy@${PROXY}`])
  writeFileSync(join(home, 'done'), '')
  return home
}

/** Milliseconds of `count` spawns, each by a user of its own. */
export async function spawns(cache, node, count) {
  const home = installed(cache)
  const data = mkdtempSync(join(tmpdir(), 'jupyterhub-bench-'))
  const [port, api, hub] = [await freePort(), await freePort(), await freePort()]
  writeFileSync(join(data, 'config.py'), `
c.JupyterHub.bind_url = 'http://127.0.0.1:${port}'
c.JupyterHub.hub_bind_url = 'http://127.0.0.1:${hub}'
c.JupyterHub.authenticator_class = 'dummy'
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = 'simple'
c.Spawner.default_url = '/lab'
c.Spawner.args = ['--allow-root']
c.ConfigurableHTTPProxy.api_url = 'http://127.0.0.1:${api}'
c.ConfigurableHTTPProxy.command = ['${node}', '${home}/node_modules/configurable-http-proxy/bin/configurable-http-proxy']
c.JupyterHub.services = [{'name': 'bench', 'api_token': 'bench-bench-bench-bench'}]
c.JupyterHub.load_roles = [{'name': 'bench', 'scopes': ['admin:users', 'admin:servers', 'access:servers'], 'services': ['bench']}]
`)
  const child = spawn(join(home, 'venv/bin/jupyterhub'), ['-f', join(data, 'config.py')], {
    cwd: data, stdio: 'ignore', env: { ...process.env, PATH: `${join(home, 'venv/bin')}:${process.env.PATH}`, CONFIGPROXY_AUTH_TOKEN: 'bench-proxy' },
  })
  const ask = (method, path) => fetch(`http://127.0.0.1:${port}${path}`, { method, redirect: 'manual', headers: { authorization: 'token bench-bench-bench-bench' } })
  const ready = async (path, wanted, seconds) => {
    for (const end = now() + seconds * 1000; now() < end; await sleep(5)) {
      const answer = await ask('GET', path).catch(() => null)
      await answer?.arrayBuffer()
      if (answer?.status === wanted) return
    }
    throw new Error(`JupyterHub: ${path} did not answer ${wanted} within ${seconds} s`)
  }
  const took = []
  try {
    await ready('/hub/api/', 200, 60)
    for (let turn = 0; turn < count; turn++) {
      const user = `user${turn}`
      await ask('POST', `/hub/api/users/${user}`)
      const began = now()
      await ask('POST', `/hub/api/users/${user}/server`)
      await ready(`/user/${user}/lab`, 200, 60)
      took.push(now() - began)
      await ask('DELETE', `/hub/api/users/${user}/server`)
      await sleep(500)
    }
  } finally {
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await gone
    rmSync(data, { recursive: true, force: true })
  }
  return took
}
