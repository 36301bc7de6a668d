/** Interim: the flags of `shoal start`. */
import { readFileSync } from 'node:fs'
import { nodeId, ShoalError } from '@shoal/kernel'
import type { NodeSettings } from '@shoal/node'

export interface StartOptions {
  readonly nodeId?: string
  readonly listen?: string
  readonly data?: string
  readonly peers?: string
  readonly secretFile?: string
  readonly replicas?: string
  readonly partitions?: string
  readonly log?: string
}

export function readNodeOptions(
  options: StartOptions,
  _environment: object,
): { settings: NodeSettings; log: 'text' | 'json' } {
  const [host = '', port = ''] = (options.listen ?? '').split(':')
  const members = (options.peers ?? '').split(',').map((each) => {
    const [id = '', url = ''] = each.split('=')
    return { id: nodeId(id), url }
  })
  if (options.data === undefined) throw new ShoalError('SHOAL_CONFIG_INVALID', 'data is missing')
  const settings: NodeSettings = {
    nodeId: nodeId(options.nodeId ?? ''),
    listen: { host, port: Number(port) },
    data: options.data,
    members,
    secret: readFileSync(options.secretFile ?? '', 'utf8').trim(),
    replicas: Number(options.replicas ?? 3),
    partitions: Number(options.partitions ?? 256),
    durability: 'fsync',
    valueBytesMax: 1 << 20,
    versionCacheBytes: 64 << 20,
    bucketDefaults: {
      consistency: { level: 'quorum' },
      conflicts: 'siblings',
      blindWrites: 'overwrite',
      ttl: 0,
      maxSiblings: 50,
      durability: 'fsync',
    } as unknown as NodeSettings['bucketDefaults'],
  }
  return { settings, log: options.log === 'json' ? 'json' : 'text' }
}
