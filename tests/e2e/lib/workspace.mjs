// A workspace of a running server, and a browser that is in it.
import { open as launch } from './browser.mjs'
import { until } from './server.mjs'

const HOME = '/home/user'

export class Workspace {
  static async make(server, input) {
    const made = new Workspace()
    Object.assign(made, { server, ...(await server.api('POST', '/workspaces', input)) })
    return made
  }

  get path() {
    return `/workspaces/${this.id}`
  }

  look() {
    return this.server.api('GET', this.path)
  }

  change(input) {
    return this.server.api('PATCH', this.path, input)
  }

  inState(...states) {
    return until(`it is ${states.join(' or ')}`, async () => states.includes((await this.look()).observed.state), 180)
  }

  async read(path) {
    return (await this.server.tryApi('GET', `${this.path}/files?path=${HOME}/${path}`)).text
  }

  write(path, body) {
    return this.server.put(`${this.path}/files?path=${HOME}/${path}`, body)
  }

  /** Something that a shell inside says. */
  run(script) {
    return this.server.cli(['ws', 'exec', this.id, '--', 'sh', '-c', script])
  }

  /** A browser of its own that is led in. It leaves a page although the page would rather stay. */
  async enter() {
    const place = await launch()
    place.page.setDefaultTimeout(120_000)
    place.page.on('dialog', (dialog) => dialog.accept().catch(() => {}))
    place.sockets = []
    place.page.on('websocket', (socket) => place.sockets.push(socket))
    await place.page.goto(this.server.cli(['ws', 'open', this.id, '--print']).trim())
    return place
  }
}
