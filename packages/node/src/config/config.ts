/**
 * The configuration of one node: several sources, one table, one answer.
 *
 * Reading stops at no fault. Whoever starts a node for the first time is told everything that is
 * wrong at once, each with the flag, variable or key that it stands in.
 */
import { type FieldError, invariant, nodeId, ShoalError } from '@shoal/kernel'
import type { NodeSettings } from '../settings.ts'
import { faultsBetween, membersOf, openListener, warningsOf } from './checks.ts'
import { type SettingId, settings } from './schema.ts'
import { readSecret } from './secret.ts'
import { type ConfigSources, describeOrigin, gather } from './sources.ts'
import { type ConfigValues, type Origins, readValues, type Values } from './values.ts'

export interface NodeConfig {
  readonly settings: NodeSettings
  readonly log: {
    readonly format: 'text' | 'json'
    readonly level: 'info' | 'warn' | 'error'
  }
  readonly origins: Origins
  /** As people may see the values. */
  readonly shown: Readonly<Record<SettingId, string>>
  /** What is allowed and yet unlikely to be meant, by its place. */
  readonly warnings: readonly FieldError[]
}

/** A configuration, right or wrong, for those who look at it. */
export interface ExaminedConfig extends Pick<NodeConfig, 'origins' | 'shown' | 'warnings'> {
  /** Undefined when `error` is not. */
  readonly config: NodeConfig | undefined
  readonly error: ShoalError | undefined
}

/** One line of `config show`. */
export interface ConfigRow {
  /** `node-id` */
  readonly name: string
  /** As one would write it; empty where nothing is set. Secrets are hidden. */
  readonly value: string
  /** `--node-id`, `SHOAL_NODE_ID`, `shoal.toml: node-id`, `default`, `not set`. */
  readonly origin: string
}

/**
 * Reads the settings of a node. Pure, but for the secret that it asks for.
 *
 * @throws SHOAL_CONFIG_INVALID with everything that is wrong in `details.errors`, by its place
 * @throws SHOAL_LISTEN_OPEN  clients elsewhere could reach it, nothing asks who they are, and that
 *         is all that is wrong
 */
export function readConfig(sources: ConfigSources): NodeConfig {
  const { config, error } = examineConfig(sources)
  if (error !== undefined) throw error
  invariant(config !== undefined, 'a configuration without an error is whole')
  return config
}

/** As `readConfig`, for those who want to see a wrong configuration too. Throws nothing. */
export function examineConfig(sources: ConfigSources): ExaminedConfig {
  const gathered = gather(sources)
  const read = readValues(gathered)
  const secret = readSecret(read, sources.readSecret)
  const view = {
    origins: { ...read.origins, secret: secret.origin },
    shown: { ...read.shown, secret: secret.secret === undefined ? '' : '(hidden)' },
    warnings: warningsOf(read),
  }
  const faults = [...gathered.faults, ...read.faults, ...secret.faults, ...faultsBetween(read)]
  if (secret.origin.kind === 'unset' && gathered.isWhole) faults.push(noSecret)
  const open = gathered.isWhole ? openListener(read) : undefined
  const error = errorOf(faults, open)
  if (error !== undefined) return { ...view, config: undefined, error }
  const { secret: found } = secret
  invariant(found !== undefined, 'a secret is there, or there is a fault')
  return { ...view, config: { ...assemble(read, found), ...view }, error: undefined }
}

/** What `config show` shows, in the order of the table. */
export const describeConfig = ({
  origins,
  shown,
}: Pick<NodeConfig, 'origins' | 'shown'>): readonly ConfigRow[] =>
  settings.map(({ id, name }) => ({
    name,
    value: shown[id],
    origin: describeOrigin(origins[id]),
  }))

const noSecret: FieldError = {
  field: 'secret',
  message: 'it is missing; give --secret-file <file>, or SHOAL_SECRET, or secret-file in the file',
}

function errorOf(
  faults: readonly FieldError[],
  open: FieldError | undefined,
): ShoalError | undefined {
  if (open !== undefined && faults.length === 0) {
    return new ShoalError('SHOAL_LISTEN_OPEN', `${open.field}: ${open.message}`, { errors: [open] })
  }
  const errors = open === undefined ? faults : [...faults, open]
  const [first] = errors
  if (first === undefined) return undefined
  const message =
    errors.length === 1 ? `${first.field}: ${first.message}` : `${errors.length} settings are wrong`
  return new ShoalError('SHOAL_CONFIG_INVALID', message, { errors })
}

function assemble({ values }: ConfigValues, secret: string): Pick<NodeConfig, 'settings' | 'log'> {
  const { peerListen, chaosControl, repairQuietHours } = values
  return {
    settings: {
      nodeId: nodeId(there(values, 'nodeId')),
      listen: there(values, 'listen'),
      ...(peerListen === undefined ? {} : { peerListen }),
      ...(chaosControl === undefined ? {} : { chaosControl }),
      data: there(values, 'data'),
      members: membersOf(values),
      secret,
      security: securityOf(values),
      replicas: there(values, 'replicas'),
      partitions: there(values, 'partitions'),
      durability: there(values, 'durability'),
      slowRequestMs: there(values, 'slowRequest'),
      valueBytesMax: there(values, 'valueBytesMax'),
      versionCacheBytes: there(values, 'versionCacheBytes'),
      ...(repairQuietHours === undefined ? {} : { budget: { quietHours: repairQuietHours } }),
      bucketDefaults: {
        consistency: there(values, 'bucketConsistency'),
        conflicts: there(values, 'bucketConflicts'),
        blindWrites: there(values, 'bucketBlindWrites'),
        ttl: there(values, 'bucketTtl'),
        maxSiblings: there(values, 'bucketMaxSiblings'),
      },
    },
    log: { format: there(values, 'log'), level: there(values, 'logLevel') },
  }
}

function securityOf(values: Values): NonNullable<NodeSettings['security']> {
  const { tokensFile, tlsCert: certFile, tlsKey: keyFile, tlsCa: caFile, auditLog } = values
  const tls =
    certFile === undefined || keyFile === undefined
      ? undefined
      : { certFile, keyFile, ...(caFile === undefined ? {} : { caFile }) }
  return {
    rateLimit: there(values, 'rateLimit'),
    ...(tokensFile === undefined ? {} : { tokensFile }),
    ...(tls === undefined ? {} : { tls }),
    ...(auditLog === undefined ? {} : { auditFile: auditLog }),
  }
}

/** A setting that is required or has a default, once nothing is wrong. */
function there<Id extends SettingId>(values: Values, id: Id): NonNullable<Values[Id]> {
  const value = values[id]
  invariant(value !== undefined && value !== null, 'a required setting was read', () => ({ id }))
  return value
}
