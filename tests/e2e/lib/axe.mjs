// axe-core in a page: the accessibility faults that a person would be stopped by.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const SOURCE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const STOPS = ['serious', 'critical']

/** One line for each fault: rule, place, and what is wrong with it. */
export async function audit(page) {
  await page.evaluate(SOURCE)
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }))
  return violations
    .filter(({ impact }) => STOPS.includes(impact))
    .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(' ')}: ${node.failureSummary.split('\n').at(1)?.trim()}`))
}
