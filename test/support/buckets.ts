import { performance } from 'node:perf_hooks'
import { kv } from './http.ts'
import { explanationOf } from './kv-answers.ts'
import type { NodeProcess } from './node-process.ts'
import { until } from './until.ts'

let probes = 0

/**
 * Sets properties and waits until every node goes by them. They are learned all at once and in the
 * order written, so a node that goes by the last ones written goes by all.
 *
 * @returns milliseconds from the last acknowledgement until the slowest node followed
 */
export async function putBuckets(
  nodes: readonly NodeProcess[],
  buckets: Readonly<Record<string, object>>,
): Promise<number> {
  const [first] = nodes as [NodeProcess]
  const probe = `probe-${process.pid}-${probes++}`
  const all = { ...buckets, [probe]: { blindWrites: 'reject' } }
  for (const [bucket, properties] of Object.entries(all)) {
    const answer = await first.ask(`/v1/buckets/${bucket}`, {
      method: 'PUT',
      body: JSON.stringify(properties),
      headers: { 'Content-Type': 'application/json' },
    })
    if (answer.status !== 204) throw new Error(`${bucket}: ${answer.status} ${answer.text}`)
  }
  const from = performance.now()
  await Promise.all(nodes.map((node) => follows(node, probe)))
  return performance.now() - from
}

/** A node judges a blind write by its own knowledge only if it is a replica of the key. */
async function follows(node: NodeProcess, bucket: string): Promise<void> {
  const key = await keyHeldBy(node, bucket)
  await until(`${node.id} to follow the bucket`, async () => {
    const answer = await node.ask(kv(bucket, key), { method: 'PUT', body: 'x' })
    return answer.status === 428
  })
}

/** A key that this node is a replica of. */
export async function keyHeldBy(node: NodeProcess, bucket: string): Promise<string> {
  for (let number = 0; ; number++) {
    const key = `key-${number}`
    const { preferenceList } = explanationOf(await node.ask(`/v1/explain/${bucket}/${key}`))
    if (preferenceList.includes(node.id)) return key
  }
}

/** A key that this node is no replica of. */
export async function keyNotHeldBy(node: NodeProcess, bucket: string): Promise<string> {
  for (let number = 0; ; number++) {
    const key = `key-${number}`
    const { preferenceList } = explanationOf(await node.ask(`/v1/explain/${bucket}/${key}`))
    if (!preferenceList.includes(node.id)) return key
  }
}
