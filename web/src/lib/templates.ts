// What a new function can start from. Code, not prose: the same in every language of the console.
import type { MessageKey } from './messages/en/index';

export type Template = { id: string; label: MessageKey; name: string; methods?: string[]; source: string };

export const templates: Template[] = [
  {
    id: 'hello',
    label: 'template.hello',
    name: 'hello',
    source: `export default async function (ctx: FunctionContext) {
  const name = ctx.query?.name ?? 'world'
  console.log('saying hello to', name)
  return \`Hello, \${name}\`
}
`,
  },
  {
    id: 'json',
    label: 'template.json',
    name: 'api/echo',
    methods: ['GET', 'POST'],
    source: `export default async function (ctx: FunctionContext) {
  if (ctx.method === 'GET') {
    return { query: ctx.query, user: ctx.user }
  }
  return { received: ctx.body }
}
`,
  },
  {
    id: 'fetch',
    label: 'template.fetch',
    name: 'web',
    source: `export default {
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url)
    return Response.json({ path: url.pathname, method: request.method })
  },
}
`,
  },
  {
    id: 'stream',
    label: 'template.stream',
    name: 'events',
    methods: ['GET'],
    source: `import { setTimeout as pause } from 'node:timers/promises'

export default async function (ctx: FunctionContext) {
  ctx.response.setHeader('content-type', 'text/event-stream')
  for (let tick = 1; tick <= 5; tick++) {
    ctx.response.write(\`data: tick \${tick}\\n\\n\`)
    await pause(1000)
  }
  ctx.response.end()
}
`,
  },
  {
    id: 'websocket',
    label: 'template.websocket',
    name: '__websocket__',
    source: `export async function main(ctx: FunctionContext) {
  if (ctx.method === 'WebSocket:connection') {
    ctx.socket?.send('welcome')
  }
  if (ctx.method === 'WebSocket:message') {
    ctx.socket?.send('you said: ' + ctx.params.data.toString())
  }
}
`,
  },
  {
    id: 'interceptor',
    label: 'template.interceptor',
    name: '__interceptor__',
    source: `export default async function (ctx: FunctionContext, next: (ctx: FunctionContext) => Promise<unknown>) {
  const started = performance.now()
  const answer = await next(ctx)
  console.log(ctx.__function_name, Math.round(performance.now() - started), 'ms')
  return answer
}
`,
  },
];
