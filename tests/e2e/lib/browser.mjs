// Debian's Chromium, driven as a person would: by roles and labels.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
]

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'

/** A browser and a fresh page. Every console error of the page is kept in `page.faults`. */
export async function open({ locale = 'en-US', viewport = { width: 1280, height: 800 }, colorScheme = 'light', reducedMotion = 'no-preference' } = {}) {
  const browser = await chromium.launch({ executablePath, args: FLAGS, headless: true })
  const context = await browser.newContext({ locale, viewport, colorScheme, reducedMotion, permissions: [] })
  const page = await context.newPage()
  page.setDefaultTimeout(20_000)
  page.faults = []
  page.on('pageerror', (error) => page.faults.push(String(error)))
  page.on('console', (message) => message.type() === 'error' && page.faults.push(message.text()))
  return { browser, page, close: () => browser.close() }
}

/** A browser that keeps no cookies of the sites that this pattern of Chromium's names. */
export async function openWithoutCookies(sites) {
  const profile = mkdtempSync(join(tmpdir(), 'darter-profile-'))
  mkdirSync(join(profile, 'Default'))
  const cookies = { [`${sites},*`]: { setting: 2 } }
  writeFileSync(join(profile, 'Default', 'Preferences'), JSON.stringify({ profile: { content_settings: { exceptions: { cookies } } } }))
  const context = await chromium.launchPersistentContext(profile, { executablePath, args: FLAGS, headless: true, locale: 'en-US' })
  const page = await context.newPage()
  page.setDefaultTimeout(20_000)
  const close = async () => {
    await context.close()
    rmSync(profile, { recursive: true, force: true, maxRetries: 3 })
  }
  return { page, close }
}
