/** Which processes a local cluster consists of. Pure. */
import { join } from 'node:path'

export interface PlannedNode extends PlannedMember {
  readonly host: string
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
  /** Where one node dials to reach another, when that is not the other's URL. */
  readonly urlBetween?: (from: string, to: string) => string | undefined
}

export const DEV_HOST = '127.0.0.1'
/** The control interface of `--chaos` listens here, counted from the first node's port. */
export const CHAOS_PORT_OFFSET = 100

export interface PlannedMember {
  readonly id: string
  readonly port: number
  readonly url: string
}

/** @param port  of the first; node i listens on `port + i - 1` */
export const planMembers = (nodes: number, port: number): PlannedMember[] =>
  Array.from({ length: nodes }, (_, index) => ({
    id: `n${index + 1}`,
    port: port + index,
    url: `http://${DEV_HOST}:${port + index}`,
  }))

export function planCluster({
  nodes,
  port,
  folder,
  secretFile,
  more,
  urlBetween = () => undefined,
}: PlanSettings): PlannedNode[] {
  const members = planMembers(nodes, port)
  const peersOf = (self: string): string =>
    members
      .map(({ id, url }) => {
        const between = urlBetween(self, id)
        return `${id}=${url}${between === undefined ? '' : `;peer=${between}`}`
      })
      .join(',')
  return members.map((member) => {
    const data = join(folder, member.id)
    const listen = `${DEV_HOST}:${member.port}`
    const own = ['--node-id', member.id, '--listen', listen, '--data', data]
    const shared = ['--peers', peersOf(member.id), '--secret-file', secretFile, ...more]
    return { ...member, host: DEV_HOST, data, parameters: ['start', ...own, ...shared] }
  })
}
