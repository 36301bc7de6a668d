import { createServer } from 'node:net'

/** Below what systems hand out to outgoing connections, so that no dial takes a port of ours. */
const LOWEST = 20_000
const SPAN = 12_000

/** The first of `count` ports in a row that were free a moment ago. */
export async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = LOWEST + Math.floor(Math.random() * SPAN)
    const wanted = Array.from({ length: count }, (_, index) => first + index)
    const free = await Promise.all(wanted.map(isFree))
    if (free.every(Boolean)) return first
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
