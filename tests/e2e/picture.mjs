// Makes docs/images/console.png, the picture of the README: a real server, a real browser, a function that has run.
// Usage: DARTER_BIN=<program> node tests/e2e/picture.mjs
import { join } from 'node:path'
import { open } from './lib/browser.mjs'
import { Server, until } from './lib/server.mjs'

const SOURCE = `import { z } from 'zod'
import { price } from '@/shop/prices'

const Order = z.object({ item: z.string(), amount: z.coerce.number() })

export default async function (ctx: FunctionContext) {
  const order = Order.parse(ctx.query)
  const total = order.amount * price(order.item)
  console.log(\`\${order.amount} × \${order.item} ordered\`)
  return { ...order, total, currency: 'EUR' }
}
`

const server = await Server.start()
server.operator('ada')
const { page, close } = await open({ viewport: { width: 1360, height: 560 } })
try {
  const app = await server.makeApp('Corner shop', {
    'shop/prices': `const PRICES: Record<string, number> = { tea: 3.5, cake: 4.2 }\nexport const price = (item: string) => PRICES[item] ?? 0\nexport default () => PRICES\n`,
    hello: `export default () => 'hello'\n`,
  })
  server.cli(['dep', 'add', app.id, 'zod'])
  await server.publish(app, 'order', SOURCE)
  await until('it answers', async () => (await server.app(app, '/order?item=tea&amount=2')).status === 200)
  const reset = JSON.parse(server.cli(['account', 'reset-password', 'ada', '--json', '--data', server.data]))
  await server.tryApi('POST', '/auth/password/reset', { token: reset.token, new: 'a dragonfly at rest' })
  await page.goto(`${server.url}/sign-in`)
  await page.getByLabel('User name or e-mail').fill('ada')
  await page.getByLabel('Password', { exact: true }).fill('a dragonfly at rest')
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await page.waitForURL((url) => !url.pathname.startsWith('/sign-in'))
  await page.goto(`${server.url}/apps/${app.id}/code/order`)
  await page.getByRole('textbox', { name: /order/ }).waitFor()
  await page.getByPlaceholder('name=Ada').fill('item=tea&amount=2')
  await page.getByRole('button', { name: 'Run', exact: true }).click()
  await page.getByText('currency').last().waitFor()
  await page.waitForTimeout(2500)
  await page.screenshot({ path: join(import.meta.dirname, '../../docs/images/console.png') })
} finally {
  await close()
  await server.stop()
  Server.cleanUp()
}
