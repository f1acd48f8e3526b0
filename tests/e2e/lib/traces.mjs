// What a server could leave behind: processes, mounts, cgroups, sockets. Only looks; ends nothing.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

function stat(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [state, parent, ...rest] = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { pid, state, parent: Number(parent), started: rest[17] }
  } catch {
    return null
  }
}

/** Every process below one, with its start time, so that a number used again is no false alarm. */
export function descendants(root) {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map((name) => stat(Number(name))).filter(Boolean)
  const family = [stat(root)].filter(Boolean)
  for (const one of family) family.push(...all.filter((other) => other.parent === one.pid && other.pid !== one.pid))
  return family
}

/** Is it still there, and not only waiting to be read by its parent? */
export function lives(one) {
  const now = stat(one.pid)
  return now !== null && now.started === one.started && now.state !== 'Z'
}

/** The folder name of a server's cgroups: `darter-` and FNV-1a of its data directory. */
function cgroupName(data) {
  let hash = 0xcbf29ce484222325n
  for (const byte of Buffer.from(data)) hash = ((hash ^ BigInt(byte)) * 0x1000001b3n) & 0xffffffffffffffffn
  return `darter-${hash.toString(16).padStart(16, '0')}`
}

function cgroups(name) {
  const roots = readFileSync('/proc/mounts', 'utf8').split('\n').map((line) => line.split(' '))
  const found = []
  const look = (folder, depth) => {
    let entries
    try {
      entries = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    } catch {
      return
    }
    for (const entry of entries) {
      if (entry.name === name) found.push(join(folder, entry.name))
      else if (depth > 0) look(join(folder, entry.name), depth - 1)
    }
  }
  for (const [, mount, kind] of roots) if (kind === 'cgroup' || kind === 'cgroup2') look(mount, 3)
  return found
}

/** Everything of a stopped server that should not be there. */
export function leftovers(data) {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter((line) => line.includes(data))
  const run = join(data, 'run')
  const sockets = existsSync(run) ? readdirSync(run).filter((name) => name.endsWith('.sock')).map((name) => join(run, name)) : []
  return [...mounts, ...cgroups(cgroupName(data)), ...sockets]
}
