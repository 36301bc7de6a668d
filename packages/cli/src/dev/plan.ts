/** Which processes a local cluster consists of. Pure. */
import { join } from 'node:path'

export interface PlannedNode {
  readonly id: string
  readonly host: string
  readonly port: number
  readonly url: string
  readonly data: string
  /** What follows `shoal`. */
  readonly parameters: readonly string[]
}

export interface PlanSettings {
  readonly nodes: number
  /** Node i listens on `port + i - 1`. */
  readonly port: number
  readonly folder: string
  readonly secretFile: string
  /** Further parameters of every node. */
  readonly more: readonly string[]
}

export const DEV_HOST = '127.0.0.1'
/** The control interface of `--chaos` listens here, counted from the first node's port. */
export const CHAOS_PORT_OFFSET = 100

export function planCluster({
  nodes,
  port,
  folder,
  secretFile,
  more,
}: PlanSettings): PlannedNode[] {
  const members = Array.from({ length: nodes }, (_, index) => ({
    id: `n${index + 1}`,
    port: port + index,
    url: `http://${DEV_HOST}:${port + index}`,
  }))
  const peers = members.map(({ id, url }) => `${id}=${url}`).join(',')
  return members.map((member) => {
    const data = join(folder, member.id)
    const listen = `${DEV_HOST}:${member.port}`
    const own = ['--node-id', member.id, '--listen', listen, '--data', data]
    const shared = ['--peers', peers, '--secret-file', secretFile, ...more]
    return { ...member, host: DEV_HOST, data, parameters: ['start', ...own, ...shared] }
  })
}
