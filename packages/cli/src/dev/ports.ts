/** Whether ports are free, asked before anything is started on them. */
import { createServer } from 'node:net'
import { ShoalError } from '@shoal/kernel'
import { DEV_HOST } from './plan.ts'

export function isFree(port: number, host = DEV_HOST): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** @throws SHOAL_ADDRESS_IN_USE naming every port that is taken */
export async function requireFree(ports: readonly number[]): Promise<void> {
  const free = await Promise.all(ports.map((port) => isFree(port)))
  const taken = ports.filter((_, index) => !free[index])
  if (taken.length === 0) return
  const [first] = taken
  const which = taken.length === 1 ? `port ${first} is` : `ports ${taken.join(', ')} are`
  throw new ShoalError(
    'SHOAL_ADDRESS_IN_USE',
    `${which} taken on ${DEV_HOST}; nothing was started. Another block: --port NUMBER`,
  )
}
