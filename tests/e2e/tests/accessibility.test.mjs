// Every page of the console, light and dark, before axe-core: nothing that would stop a person.
import { strict as assert } from 'node:assert'
import { after, before, test } from 'node:test'
import { audit } from '../lib/axe.mjs'
import { open } from '../lib/browser.mjs'
import { DOORS, makeScene, pagesOf, signIn, visit } from '../lib/scene.mjs'
import { Server } from '../lib/server.mjs'

let server
let app

before(async () => {
  server = await Server.start()
  app = await makeScene(server)
})
after(async () => {
  await server.stop()
  Server.cleanUp()
})

for (const colorScheme of ['light', 'dark']) {
  test(`every page is accessible when it is ${colorScheme}`, async () => {
    // Without motion nothing is half-way faded in when it is looked at.
    const { page, close } = await open({ colorScheme, reducedMotion: 'reduce' })
    const faults = []
    const look = async (one) => {
      await visit(page, server, one)
      faults.push(...(await audit(page)).map((fault) => `${one[0]}: ${fault}`))
    }
    for (const one of DOORS) await look(one)
    await signIn(page, server)
    for (const one of pagesOf(app)) await look(one)
    await close()
    assert.deepEqual(faults, [])
  })
}
