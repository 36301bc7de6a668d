/** Orders to a dev cluster, see docs/dev-cluster.md. */
import http from 'k6/http'
import { faults } from './metrics.ts'
import { chaosUrl } from './settings.ts'

const ORDER_TIMEOUT = '60s'

/** Answers when it has happened. Throws when it could not. */
export function disturb(node: string, action: 'kill' | 'start' | 'pause' | 'resume'): void {
  const url = `${chaosUrl}/nodes/${node}/${action}`
  const params = { tags: { name: 'chaos' }, timeout: ORDER_TIMEOUT }
  const { status, body } = http.post(url, null, params)
  if (status !== 200) throw new Error(`${url}: ${status} ${body}`)
  faults.add(1, { action, node })
}
