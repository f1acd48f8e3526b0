// Makes the pictures of the README: a real server, a real browser, a function that has run. Light, dark, and on a phone.
// Usage: DARTER_BIN=<program> node tests/e2e/picture.mjs
import { join } from 'node:path'
import { open } from './lib/browser.mjs'
import { makeScene, signIn } from './lib/scene.mjs'
import { Server } from './lib/server.mjs'

const IMAGES = join(import.meta.dirname, '../../docs/images')
const WIDE = { width: 1360, height: 560 }
const PHONE = { width: 390, height: 700 }

const server = await Server.start()
try {
  const app = await makeScene(server, { packages: ['zod'] })
  for (const [name, colorScheme, viewport] of [
    ['console', 'light', WIDE], ['console-dark', 'dark', WIDE], ['console-phone', 'light', PHONE],
  ]) {
    const { page, close } = await open({ viewport, colorScheme, reducedMotion: 'reduce' })
    await signIn(page, server)
    const spoken = page.waitForEvent('websocket', (socket) => socket.url().endsWith('/lsp'))
    await page.goto(`${server.url}/apps/${app.id}/code/order`)
    await (await spoken).waitForEvent('framereceived', ({ payload }) => /"kind":"full"/.test(String(payload)))
    const editor = page.getByRole('textbox', { name: /order/ })
    await editor.waitFor()
    // On a phone the panels are behind their buttons below.
    const panels = page.getByRole('group').getByRole('button', { name: 'Run', exact: true })
    if (await panels.isVisible()) await panels.click()
    await page.getByPlaceholder('name=Ada').fill('item=tea&amount=2')
    await page.keyboard.press('ControlOrMeta+Enter')
    await page.getByText('200', { exact: true }).waitFor()
    await page.screenshot({ path: join(IMAGES, `${name}.png`) })
    await close()
  }
} finally {
  await server.stop()
  Server.cleanUp()
}
