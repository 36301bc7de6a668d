/**
 * The control interface of `shoal dev --chaos`: what happens to machines and networks, on request.
 *
 *     GET  /nodes                  [{ "id", "url", "pid", "condition" }]
 *     GET  /nodes/{id}             one of them
 *     POST /nodes/{id}/{action}    start, stop, kill, pause, resume; answers when it has happened
 *     GET  /links                  [{ "nodes": [id, id], "condition": "whole" or "cut" }]
 *     POST /links/{id}/{id}/cut    neither node is told; both have to find out
 *     POST /links/{id}/{id}/heal
 *     POST /heal                   heals all links, resumes what is paused, starts what is down
 *
 * Loopback only. A page in a browser on this machine could send such a POST too: a request whose
 * `Host` is a name is refused, and one with an `Origin` unless it is that of a node of this
 * cluster, whose console may ask.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Link, Links } from './links.ts'
import type { LocalCluster } from './local-cluster.ts'
import { type Action, actions, allowedIn, type NodeProcess } from './node-process.ts'
import { DEV_HOST } from './plan.ts'

/** What there is to be disturbed. */
export interface Disturbed {
  readonly cluster: LocalCluster
  readonly links: Links
}

interface Reply {
  readonly status: number
  readonly body: object
  readonly allow?: string
}

/** Listens when it resolves. Rejects as `listen` does. */
export async function startChaos(disturbed: Disturbed, port: number): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume()
    const origin = allowedOrigin(disturbed, request)
    if (origin !== undefined) response.setHeader('access-control-allow-origin', origin)
    handle(disturbed, request).then(
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

async function handle(disturbed: Disturbed, request: IncomingMessage): Promise<Reply> {
  const { method = '', url = '', headers } = request
  const isStranger = headers.origin !== undefined && !allowedOrigin(disturbed, request)
  if (isStranger || !isLoopback(headers.host ?? '')) {
    return refuse(403, 'by address only, and from no page but the console of this cluster')
  }
  const [root = '', ...path] = url
    .split('?', 1)
    .join('')
    .split('/')
    .slice(1)
    .filter((part, index) => index === 0 || part !== '')
  if (root === 'nodes') return await aboutNodes(disturbed.cluster, method, path)
  if (root === 'links') return aboutLinks(disturbed.links, method, path)
  if (root === 'heal' && path.length === 0) {
    return method === 'POST' ? await healAll(disturbed) : notAllowed('POST')
  }
  return refuse(404, 'see GET /nodes and GET /links')
}

/** Its nodes serve the console; a browser may know them by either name. */
function allowedOrigin(
  { cluster }: Disturbed,
  { headers: { origin } }: IncomingMessage,
): string | undefined {
  const known = cluster.nodes.flatMap(({ plan: { url, port } }) => [
    url,
    `http://localhost:${port}`,
  ])
  return origin !== undefined && known.includes(origin) ? origin : undefined
}

async function aboutNodes(
  cluster: LocalCluster,
  method: string,
  [id, action, ...more]: readonly string[],
): Promise<Reply> {
  if (more.length > 0) return refuse(404, 'see GET /nodes')
  if (id === undefined) {
    if (method !== 'GET') return notAllowed('GET')
    return { status: 200, body: cluster.nodes.map(describe) }
  }
  const node = cluster.find(id)
  if (node === undefined) return refuse(404, `no node ${id}`)
  if (action === undefined) {
    return method === 'GET' ? { status: 200, body: describe(node) } : notAllowed('GET')
  }
  if (!isAction(action)) return refuse(404, `an action is one of ${actions.join(', ')}`)
  return method === 'POST' ? act(node, action) : notAllowed('POST')
}

function aboutLinks(
  links: Links,
  method: string,
  [one, other, action, ...more]: readonly string[],
): Reply {
  if (one === undefined) {
    return method === 'GET' ? { status: 200, body: links.all.map(describeLink) } : notAllowed('GET')
  }
  const link = links.find(one, other ?? '')
  if (link === undefined || more.length > 0) {
    return refuse(404, `no link between ${one} and ${other ?? 'nothing'}; see GET /links`)
  }
  if (action === undefined) {
    return method === 'GET' ? { status: 200, body: describeLink(link) } : notAllowed('GET')
  }
  if (action !== 'cut' && action !== 'heal') return refuse(404, 'an action is cut or heal')
  if (method !== 'POST') return notAllowed('POST')
  links[action](link)
  return { status: 200, body: describeLink(link) }
}

/** Back to a whole cluster, from wherever it is. What is on its way somewhere is left alone. */
async function healAll({ cluster, links }: Disturbed): Promise<Reply> {
  for (const link of links.all) links.heal(link)
  for (const node of cluster.nodes) if (node.condition === 'paused') node.resume()
  const down = cluster.nodes.filter(({ condition }) => allowedIn.start.includes(condition))
  const replies = await Promise.all(down.map((node) => act(node, 'start')))
  const failed = replies.find(({ status }) => status !== 200)
  if (failed !== undefined) return failed
  return {
    status: 200,
    body: { nodes: cluster.nodes.map(describe), links: links.all.map(describeLink) },
  }
}

const isLoopback = (host: string): boolean => /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(host)

const isAction = (text: string): text is Action => (actions as readonly string[]).includes(text)

const refuse = (status: number, error: string): Reply => ({ status, body: { error } })

const notAllowed = (allow: string): Reply => ({
  status: 405,
  body: { error: `use ${allow}` },
  allow,
})

const describe = ({ plan: { id, url }, pid, condition }: NodeProcess): object => ({
  id,
  url,
  pid: pid ?? null,
  condition,
})

const describeLink = ({ nodes, condition }: Link): object => ({ nodes, condition })

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
