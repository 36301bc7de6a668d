/**
 * The control interface of `shoal dev --chaos`: what happens to machines, on request.
 *
 *     GET  /nodes                  [{ "id", "url", "pid", "condition" }]
 *     GET  /nodes/{id}             one of them
 *     POST /nodes/{id}/{action}    start, stop, kill, pause, resume; answers when it has happened
 *
 * Loopback only. A page in a browser on this machine could send such a POST too: requests that
 * carry an `Origin`, or whose `Host` is a name, are refused.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { LocalCluster } from './local-cluster.ts'
import { type Action, actions, allowedIn, type NodeProcess } from './node-process.ts'
import { DEV_HOST } from './plan.ts'

interface Reply {
  readonly status: number
  readonly body: object
  readonly allow?: string
}

/** Listens when it resolves. Rejects as `listen` does. */
export async function startChaos(cluster: LocalCluster, port: number): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume()
    handle(cluster, request).then(
      (reply) => send(response, reply),
      (error: Error) => send(response, { status: 500, body: { error: error.message } }),
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, DEV_HOST, resolve)
  })
  return server
}

function send(response: ServerResponse, { status, body, allow }: Reply): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    ...(allow === undefined ? {} : { allow }),
  })
  response.end(`${JSON.stringify(body)}\n`)
}

async function handle(cluster: LocalCluster, request: IncomingMessage): Promise<Reply> {
  const { method = '', url = '', headers } = request
  if (headers.origin !== undefined || !isLoopback(headers.host ?? '')) {
    return refuse(403, 'not from a browser, and by address only')
  }
  const [root, id, action, ...more] = url.split('?', 1).join('').split('/').slice(1)
  if (root !== 'nodes' || more.length > 0) return refuse(404, 'see GET /nodes')
  if (id === undefined || id === '') {
    return method === 'GET' ? listing(cluster) : notAllowed('GET')
  }
  const node = cluster.find(id)
  if (node === undefined) return refuse(404, `no node ${id}`)
  if (action === undefined) {
    return method === 'GET' ? { status: 200, body: describe(node) } : notAllowed('GET')
  }
  if (!isAction(action)) return refuse(404, `an action is one of ${actions.join(', ')}`)
  return method === 'POST' ? act(node, action) : notAllowed('POST')
}

const isLoopback = (host: string): boolean => /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(host)

const isAction = (text: string): text is Action => (actions as readonly string[]).includes(text)

const refuse = (status: number, error: string): Reply => ({ status, body: { error } })

const notAllowed = (allow: string): Reply => ({
  status: 405,
  body: { error: `use ${allow}` },
  allow,
})

const listing = ({ nodes }: LocalCluster): Reply => ({ status: 200, body: nodes.map(describe) })

const describe = ({ plan: { id, url }, pid, condition }: NodeProcess): object => ({
  id,
  url,
  pid: pid ?? null,
  condition,
})

async function act(node: NodeProcess, action: Action): Promise<Reply> {
  if (!allowedIn[action].includes(node.condition)) {
    const body = { error: `${node.plan.id} is ${node.condition}`, ...describe(node) }
    return { status: 409, body }
  }
  if (action === 'start') {
    if (await node.start()) return { status: 200, body: describe(node) }
    const body = { error: 'it did not come to serve', lines: node.lastLines, ...describe(node) }
    return { status: 500, body }
  }
  await node[action]()
  return { status: 200, body: describe(node) }
}
