import { createTestEnv, type ErrorCode, type Partition, type TestEnv } from '@shoal/kernel'
import { hash64, makeRowKey, partitionOfRowKey, rowKeyName, segmentOfRowKey } from '@shoal/ring'
import {
  createMemoryDisk,
  createMemoryStore,
  decodeValue,
  type MemoryDisk,
  rowBlocks,
  rowVersion,
  type Store,
} from '@shoal/storage'
import type { MergeOperation, PutOperation, Written } from '../../src/operations.ts'
import { Replica, type ReplicaOptions } from '../../src/replica.ts'

export const PARTITIONS = 8

export interface Opened {
  readonly env: TestEnv
  readonly disk: MemoryDisk
  readonly store: Store
  readonly replica: Replica
  /** What the replica found wrong with its disk. */
  readonly told: string[]
}

export async function open(
  disk = createMemoryDisk(),
  seed = 1,
  options: Pick<ReplicaOptions, 'versionCacheBytes'> = {},
): Promise<Opened> {
  const env = createTestEnv({ seed })
  const store = createMemoryStore(env, { disk })
  const told: string[] = []
  const replica = await settle(
    env,
    Replica.open({
      ...{ env, store, partitions: PARTITIONS, ...options },
      onDamage: (rowKey) => void told.push(`damaged ${rowKeyName(rowKey)}`),
      onLoss: ({ kind, partition }) => void told.push(`${kind} ${partition}`),
    }),
  )
  return { env, disk, store, replica, told }
}

/** Runs promises and turns until a promise has ended. */
export async function settle<T>(env: TestEnv, promise: Promise<T>): Promise<T> {
  let ended = false
  promise
    .finally(() => {
      ended = true
    })
    .catch(() => {})
  for (let round = 0; round < 2_000 && !ended; round++) {
    for (let hop = 0; hop < 10; hop++) await Promise.resolve()
    env.drainTurns()
    if (round > 100) env.advance(1 as never)
  }
  return promise
}

interface PutResult {
  readonly written?: Written
  readonly durable: boolean
  readonly refused?: ErrorCode
}

export function put(
  { env, replica }: Opened,
  key: string,
  value: string,
  given: Partial<PutOperation> = {},
): Promise<PutResult> {
  return settle(
    env,
    new Promise((resolve) => {
      let written: Written | undefined
      replica.put({
        kind: 'put',
        rowKey: makeRowKey('b', key),
        tombstone: false,
        body: Buffer.from(value),
        contentType: 'text/plain',
        contentEncoding: '',
        context: undefined,
        seen: undefined,
        checked: undefined,
        blind: 'overwrite',
        expiry: 0,
        request: undefined,
        siblingsMax: 50,
        durable: true,
        ...given,
        sink: {
          written: (result) => {
            written = result
            if (given.durable === false) resolve({ written: result, durable: false })
          },
          durable: () => resolve({ ...(written ? { written } : {}), durable: true }),
          refused: (refused) => resolve({ refused, durable: false }),
        },
      })
    }),
  )
}

export function merge(
  { env, replica }: Opened,
  key: string,
  row: Buffer,
  given: Partial<MergeOperation> = {},
): Promise<ErrorCode | 'durable'> {
  return settle(
    env,
    new Promise((resolve) => {
      replica.merge({
        kind: 'merge',
        rowKey: makeRowKey('b', key),
        row,
        heal: false,
        durable: true,
        ...given,
        sink: { merged: () => {}, durable: () => resolve('durable'), refused: resolve },
      })
    }),
  )
}

export function read(
  { env, replica }: Opened,
  key: string,
): Promise<Buffer | undefined | ErrorCode> {
  return settle(
    env,
    new Promise((resolve) => {
      replica.read(makeRowKey('b', key), { row: resolve, failed: resolve })
    }),
  )
}

export async function values(node: Opened, key: string): Promise<string[]> {
  const row = await read(node, key)
  if (!Buffer.isBuffer(row)) return []
  return rowBlocks(row)
    .map(decodeValue)
    .filter(({ tombstone }) => !tombstone)
    .map(({ body }) => body.toString())
    .sort()
}

export const rowOf = (written: Written | undefined, key: string): Buffer =>
  (written?.message ?? Buffer.alloc(0)).subarray(3 + makeRowKey('b', key).length)

/** Whether every digest is that of the rows on disk (E1). */
export async function digestsHold({ env, store, replica }: Opened): Promise<boolean> {
  const page = await settle(env, store.scan({ column: 'rows', limit: 1_000 }))
  const wanted = new Map<string, bigint>()
  for (const { key, value } of page.rows) {
    const place = `${partitionOfRowKey(key, PARTITIONS)} ${segmentOfRowKey(key, PARTITIONS)}`
    const digest = hash64(rowVersion(value), key.readBigUInt64BE(0))
    wanted.set(place, (wanted.get(place) ?? 0n) ^ digest)
  }
  for (let partition = 0; partition < PARTITIONS; partition++) {
    for (let segment = 0; segment < 1_024; segment++) {
      const digest = replica.segmentDigest(partition as Partition, segment)
      if (digest !== (wanted.get(`${partition} ${segment}`) ?? 0n)) return false
    }
  }
  return true
}

/** After a clean stop. */
export async function reopen(node: Opened): Promise<Opened> {
  await settle(node.env, node.replica.close())
  await settle(node.env, node.store.close())
  return open(node.disk, 9)
}
