/** A server that answers as told, where what matters is what a command makes of answers. */
import { createServer, type IncomingMessage } from 'node:http'
import type { Test } from 'tap'

export interface FakeRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

export interface FakeAnswer {
  readonly status: number
  readonly headers?: Record<string, string>
  readonly body?: string | Uint8Array | object
}

export interface FakeCluster {
  readonly url: string
  /** All that came, oldest first. */
  readonly requests: FakeRequest[]
}

export async function fakeCluster(
  t: Test,
  answer: (request: FakeRequest) => FakeAnswer,
): Promise<FakeCluster> {
  const requests: FakeRequest[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      const asked = { method, url, headers, body: Buffer.concat(chunks) }
      requests.push(asked)
      const { status, headers: told = {}, body = '' } = answer(asked)
      const isDocument = typeof body === 'object' && !(body instanceof Uint8Array)
      if (isDocument) told['content-type'] ??= 'application/json'
      response.writeHead(status, told)
      response.end(isDocument ? JSON.stringify(body) : body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as { port: number }
  return { url: `http://127.0.0.1:${port}`, requests }
}

/** Headers of every answer about a key. */
export const about = (more: Record<string, string> = {}): Record<string, string> => ({
  'causal-context': 'c1.AAEC',
  consistency: 'quorum;r=2;w=2;durable=2',
  receipt: 'n=3, need=2, ack=2, primaries=2, fallbacks=0, durable=2, hinted=0, epoch=1, node="n1"',
  'request-id': 'r-1',
  ...more,
})

export const problem = (status: number, code: string, more: object = {}): FakeAnswer => ({
  status,
  headers: { 'content-type': 'application/problem+json' },
  body: {
    type: `urn:shoal:error:${code}`,
    title: code,
    status,
    detail: 'what it is',
    code,
    ...more,
  },
})
