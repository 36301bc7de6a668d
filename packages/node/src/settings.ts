import type { BudgetSettings } from '@shoal/antientropy'
import type { BucketProperties } from '@shoal/coordinator'
import type { NodeId } from '@shoal/kernel'
import type { MemberSetting } from '@shoal/ring'

/** Everything one node is composed from. Made from flags, environment and file by `config`. */
export interface NodeSettings {
  readonly nodeId: NodeId
  readonly listen: { readonly host: string; readonly port: number }
  /** A listener for peers alone; absent: they use `listen`. */
  readonly peerListen?: { readonly host: string; readonly port: number }
  /** Where faults can be made: only on a local cluster started for that. */
  readonly chaosControl?: { readonly host: string; readonly port: number }
  readonly data: string
  /** All members, this node included, alike on every node. */
  readonly members: readonly (MemberSetting & { readonly peerUrl?: string })[]
  readonly secret: string
  readonly security?: SecuritySettings
  readonly replicas: number
  readonly partitions: number
  readonly durability: 'fsync' | 'memory'
  /** Requests that take longer are logged; absent or 0: none is. */
  readonly slowRequestMs?: number
  readonly valueBytesMax: number
  readonly versionCacheBytes: number
  /** Absent: no hour is quiet. */
  readonly budget?: Pick<BudgetSettings, 'quietHours'>
  readonly bucketDefaults: Omit<BucketProperties, 'n' | 'mode'>
}

/** Files are read at the start, and again when they change. */
export interface SecuritySettings {
  /** Absent: nobody is asked for a token. */
  readonly tokensFile?: string
  readonly tls?: {
    readonly certFile: string
    readonly keyFile: string
    /** Peers must show a certificate of this authority; absent: the secret is all they need. */
    readonly caFile?: string
  }
  /** Operations a second for each client; 0 for no bound. */
  readonly rateLimit: number
  /** Absent: the log. */
  readonly auditFile?: string
}
