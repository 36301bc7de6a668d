/**
 * A server that answers every request of the client at once, from its own process: what the client
 * costs stands out. Prints its URL, and its own CPU time whenever it reads a line.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

const value = Buffer.alloc(1_024, 'v')
const context = `c1.${'x'.repeat(60)}`
const receipt = [
  'n=3, need=2, ack=3, primaries=3, fallbacks=0, durable=3, hinted=0, repaired=0',
  'epoch=1, node="n1"',
].join(', ')
const about = {
  'Causal-Context': context,
  ETag: '"abcdef0123456789"',
  'Last-Modified': 'Tue, 14 Nov 2023 22:13:20 GMT',
  Consistency: 'quorum;r=2;w=2;durable=2',
  Receipt: receipt,
  'Request-Id': '0123456789abcdef',
  'Cache-Control': 'no-store',
}
const base64 = value.toString('base64')

function answer(request: IncomingMessage, body: Buffer, reply: ServerResponse): void {
  if (request.url === '/v1/batch') {
    const { operations } = JSON.parse(body.toString()) as { operations: { op: string }[] }
    const results = operations.map(({ op }) =>
      op === 'get'
        ? { status: 200, context, etag: about.ETag, receipt, type: 'text/plain', base64 }
        : { status: 204, context, etag: about.ETag, receipt },
    )
    reply.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ results }))
    return
  }
  if (request.method === 'PUT') {
    reply.writeHead(204, about).end()
    return
  }
  const type = 'application/octet-stream'
  reply.writeHead(200, { ...about, 'Content-Type': type, 'Content-Length': 1_024 }).end(value)
}

const server = createServer((request, reply) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => answer(request, Buffer.concat(chunks), reply))
})

server.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
process.stdin.on('data', () => {
  const { user, system } = process.cpuUsage()
  console.log(String(user + system))
})
process.stdin.on('end', () => process.exit(0))
