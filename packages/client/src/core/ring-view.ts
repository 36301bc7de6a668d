/**
 * The ring as a client sees it: which nodes hold a key first. Read from `GET /v1/ring`, where a
 * member may be missing or a URL may be wrong; a view is only made from a record that holds
 * together, because a client without a ring works (any node forwards) and one with a broken ring
 * fails.
 */
import { limits } from '@shoal/kernel'

export interface RingView {
  readonly epoch: number
  readonly partitions: number
  /** URLs of all members, in the order of the record. */
  readonly members: readonly string[]
  /** Per partition the URLs of its primaries, in preference order. */
  readonly table: readonly (readonly string[])[]
}

/** @returns the view, or the first thing wrong with the record, for people */
export function readRing(record: unknown): RingView | string {
  if (!isObject(record)) return 'the ring is not an object'
  const { epoch, partitions, members, table } = record
  if (!isCount(epoch)) return 'epoch is not a whole number'
  if (!isCount(partitions) || !isPowerOfTwo(partitions) || partitions > limits.partitionsMax) {
    return 'partitions is not a power of two within bounds'
  }
  if (!Array.isArray(members) || members.length > limits.nodesMax) return 'members is not a list'
  if (!Array.isArray(table) || table.length !== partitions) {
    return 'table has not one entry for each partition'
  }
  const urls = new Map<string, string>()
  for (const member of members) {
    if (!isObject(member) || typeof member.id !== 'string' || typeof member.url !== 'string') {
      return 'a member lacks its id or url'
    }
    const url = nodeUrl(member.url)
    if (url === undefined) return `the url of ${member.id} is not one of http or https`
    urls.set(member.id, url)
  }
  const rows: string[][] = []
  for (const row of table) {
    if (!Array.isArray(row) || row.length === 0 || row.length > limits.replicasMax) {
      return 'a partition has no nodes, or too many'
    }
    const primaries = row.map((id: unknown) => urls.get(String(id)))
    if (!primaries.every((url) => url !== undefined)) return 'a partition names a stranger'
    rows.push(primaries)
  }
  return { epoch, partitions, members: [...urls.values()], table: rows }
}

/** Whether `next` may take the place of `current`: an epoch never goes back. */
export const mayReplace = (current: RingView | undefined, next: RingView): boolean =>
  current === undefined || next.epoch >= current.epoch

/**
 * The one spelling of a node's address: scheme, host, port, and a path if there is one, without a
 * slash at the end. `host:port` alone means http. Undefined when it is no address.
 */
export function nodeUrl(text: string): string | undefined {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  if (!URL.canParse(full)) return undefined
  const { protocol, host, pathname, search, hash, username } = new URL(full)
  if (protocol !== 'http:' && protocol !== 'https:') return undefined
  if (search !== '' || hash !== '' || username !== '' || host === '') return undefined
  return `${protocol}//${host}${pathname.replace(/\/+$/, '')}`
}

const isObject = (value: unknown): value is { [member: string]: unknown } =>
  typeof value === 'object' && value !== null

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 1

const isPowerOfTwo = (value: number): boolean => value >= 2 && (value & (value - 1)) === 0
