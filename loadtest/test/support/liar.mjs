/** Answers as a node does and does not keep its promises: what a load test must not let pass. */
import { createServer } from 'node:http'

/**
 * @param {import('tap').Test} t
 * @param {(writes: number) => boolean} forgets  whether it acknowledges this write and drops it
 * @returns {Promise<string>} its URL
 */
export async function startLiar(t, forgets) {
  const values = new Map()
  let writes = 0
  const server = createServer(async (request, response) => {
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    const { method, url } = request
    response.setHeader('Causal-Context', 'c1.AAEC')
    if (url.startsWith('/v1/explain/')) {
      response.setHeader('Content-Type', 'application/json')
      response.end(JSON.stringify({ holders: [{ role: 'primary', etag: '"a"' }] }))
    } else if (url.includes('?limit=')) {
      response.setHeader('Content-Type', 'application/json')
      response.end(JSON.stringify({ keys: [], cursor: null }))
    } else if (method === 'GET') {
      const value = values.get(url)
      response.writeHead(value === undefined ? 404 : 200).end(value)
    } else {
      if (!forgets(++writes)) values.set(url, Buffer.concat(chunks))
      if (method === 'DELETE') values.delete(url)
      response.writeHead(204).end()
    }
  })
  await new Promise((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${server.address().port}`
}
