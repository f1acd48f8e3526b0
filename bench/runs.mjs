// Rows of runs: how soon a small program has said its word, how many a second, beside a bare interpreter started for each.
import { spawnSync } from 'node:child_process'
import { median, now, percentile, sleep } from './server.mjs'

const HELLO = {
  python: 'print("Hello!")',
  javascript: 'console.log("Hello!")',
  c: '#include <stdio.h>\nint main(void) { puts("Hello!"); }',
}

async function once(server, language, source = HELLO[language]) {
  const began = now()
  const { verdict, stdout } = await server.api('POST', '/runs', { language, source })
  if (verdict !== 'ok' || stdout.text !== 'Hello!\n') throw new Error(`${language}: ${verdict} ${stdout.text}`)
  return now() - began
}

async function often(count, each) {
  const took = []
  for (let turn = 0; turn < count; turn++) took.push(await each(turn))
  return took
}

/** An interpreter without any wall, started by a loop. */
function bare() {
  const began = now()
  const { stdout } = spawnSync('/usr/bin/python3', ['-I', '-S', '-c', HELLO.python], { encoding: 'utf8' })
  if (stdout !== 'Hello!\n') throw new Error('python3 does not say hello')
  return now() - began
}

/** Runs a second with so many clients at once. */
async function flood(server, clients, seconds) {
  const end = now() + seconds * 1000
  const counts = await Promise.all(Array.from({ length: clients }, async () => {
    let count = 0
    for (; now() < end; count++) await once(server, 'python')
    return count
  }))
  return counts.reduce((sum, count) => sum + count, 0) / seconds
}

/** Into `row(what, figure, other, at least, aim)`. */
export async function rows(server, { row, ms, times, quick }) {
  for (const language of Object.keys(HELLO)) await often(3, () => once(server, language))
  const ours = []
  const theirs = []
  for (let turn = 0; turn < times(100); turn++) {
    await sleep(100)
    ours.push(await once(server, 'python'))
    theirs.push(bare())
  }
  row('Python hello, request → result, p50 / p99', `${ms(median(ours))} / ${ms(percentile(ours, 0.99))}`, '', '4 / 15 ms', '1.5 / 5 ms')
  row('the same ÷ a bare `python3 -I -S` started by a loop, p50', (median(ours) / median(theirs)).toFixed(2), ms(median(theirs)), '0.6', '0.2')
  row('JavaScript hello, p50', ms(median(await often(times(50), () => sleep(250).then(() => once(server, 'javascript'))))), '', '15 ms', '3 ms')
  const cached = await often(times(50), () => once(server, 'c'))
  const fresh = await often(times(30), (turn) => once(server, 'c', `${HELLO.c}\n// ${turn}`))
  row('C hello, compiled result cached / not, p50', `${ms(median(cached))} / ${ms(median(fresh))}`, '', '6 / 90 ms', '2 / 45 ms')
  row('runs/s, Python hello, 64 clients', (await flood(server, 64, quick ? 3 : 15)).toFixed(0), '', '250', '700')
}
