/**
 * What settings have to be to each other. Each check is skipped where its settings are not there.
 */
import type { Consistency } from '@shoal/coordinator'
import { type FieldError, limits, type NodeId, nodeId } from '@shoal/kernel'
import {
  type Address,
  addressOfUrl,
  formatAddress,
  isLoopback,
  isWildcard,
  urlOfAddress,
} from './address.ts'
import { formatBytes } from './bytes.ts'
import type { ConfiguredMember } from './members.ts'
import { didYouMean } from './reading.ts'
import { type SettingId, settingOf } from './schema.ts'
import { describeOrigin } from './sources.ts'
import { suggest } from './suggest.ts'
import type { ConfigValues, Values } from './values.ts'

/** All members; without peers the node alone, where it listens. */
export function membersOf(values: Values): readonly ConfiguredMember[] {
  const { peers, nodeId: id, listen } = values
  if (peers !== undefined) return peers
  if (id === undefined || listen === undefined) return []
  return [{ id: nodeId(id), url: urlOfAddress(listen, schemeOf(values)) }]
}

const schemeOf = ({ tlsCert }: Values): 'http' | 'https' =>
  tlsCert === undefined ? 'http' : 'https'

/** What cannot be started. */
export function faultsBetween(config: ConfigValues): FieldError[] {
  return [
    ...strangers(config),
    ...unreachablePeers(config),
    ...unfitConsistency(config),
    ...halfTls(config),
  ]
}

/** What can be started and is yet unlikely to be meant. */
export function warningsOf(config: ConfigValues): FieldError[] {
  return [
    ...openDoors(config),
    ...clearText(config),
    ...otherSchemes(config),
    ...hiddenAudit(config),
    ...otherPorts(config),
    ...unreachableUrls(config),
    ...fewerCopies(config),
    ...hugeSiblings(config),
  ]
}

/** An address that others reach although nothing asks clients who they are. */
export function openListener(config: ConfigValues): FieldError | undefined {
  const { listen, allowOpen, tokensFile } = config.values
  if (listen === undefined || allowOpen === true || isLoopback(listen)) return undefined
  if (tokensFile !== undefined) return undefined
  return {
    field: at(config, 'listen'),
    message:
      `${formatAddress(listen)} can be reached from other machines, ` +
      'and clients are not asked for tokens',
  }
}

/** Where a setting stands; of a default its name. */
function at({ origins }: ConfigValues, id: SettingId): string {
  const origin = origins[id]
  return origin.kind === 'default' ? `${settingOf(id).name} (default)` : describeOrigin(origin)
}

function strangers(config: ConfigValues): FieldError[] {
  const { nodeId: id, peers } = config.values
  if (id === undefined || peers === undefined || own(config) !== undefined) return []
  const ids = peers.map((member) => member.id)
  const message =
    `${id} is not among the members of ${at(config, 'peers')}: ` +
    `${listed(ids)}${didYouMean(suggest(id, ids))}`
  return [{ field: at(config, 'nodeId'), message }]
}

const LISTED_MAX = 10

const listed = (ids: readonly NodeId[]): string =>
  ids.length <= LISTED_MAX ? ids.join(', ') : `${ids.slice(0, LISTED_MAX).join(', ')}, ...`

/** This node as a member of a configured cluster. */
const own = ({ values: { peers, nodeId: id } }: ConfigValues): ConfiguredMember | undefined =>
  peers?.find((member) => member.id === id)

/** With a listener of their own, peers find nobody at the URL for clients. */
function unreachablePeers(config: ConfigValues): FieldError[] {
  const { peerListen, peers = [] } = config.values
  const self = own(config)
  if (!peerListen || !self || self.peerUrl !== undefined || peers.length < 2) return []
  const message =
    `peers reach ${self.id} at ${self.url}, which takes only clients when peer-listen is set; ` +
    `add ;peer=http://HOST:${peerListen.port} to ${self.id}`
  return [{ field: at(config, 'peers'), message }]
}

/** A default that no request could be served with. */
function unfitConsistency(config: ConfigValues): FieldError[] {
  const { bucketConsistency: asked, replicas } = config.values
  const members = membersOf(config.values).length
  if (asked === undefined || replicas === undefined || members === 0) return []
  const message = faultOfConsistency(asked, Math.min(replicas, members))
  return message === undefined ? [] : [{ field: at(config, 'bucketConsistency'), message }]
}

function faultOfConsistency(
  { level, r, w, durable }: Consistency,
  copies: number,
): string | undefined {
  const levels = { one: 1, quorum: Math.floor(copies / 2) + 1, all: copies }
  const acknowledgements = w ?? levels[level]
  if ((r ?? 1) > copies || acknowledgements > copies) {
    return `r and w are at most ${copies}, as many as there are copies of each key`
  }
  if ((durable ?? 0) <= acknowledgements) return undefined
  return `durable is at most w, and w is ${acknowledgements}`
}

function openDoors(config: ConfigValues): FieldError[] {
  const { listen, allowOpen, tokensFile } = config.values
  if (listen === undefined || allowOpen !== true || isLoopback(listen)) return []
  if (tokensFile !== undefined) return []
  const message = `whoever reaches ${formatAddress(listen)} can read and write everything`
  return [{ field: at(config, 'listen'), message }]
}

/** A certificate without its key serves nothing; an authority without either checks nobody. */
function halfTls(config: ConfigValues): FieldError[] {
  const ids = ['tlsCert', 'tlsKey', 'tlsCa'] as const
  const [given] = ids.filter((id) => config.values[id] !== undefined)
  if (given === undefined) return []
  return ids
    .filter((id) => id !== 'tlsCa' && config.values[id] === undefined)
    .map((id) => ({ field: at(config, given), message: `it needs ${settingOf(id).flag} too` }))
}

/** Tokens, values and what peers tell each other can be read on the way. */
function clearText(config: ConfigValues): FieldError[] {
  const { listen, tokensFile, tlsCert } = config.values
  if (listen === undefined || isLoopback(listen)) return []
  if (tokensFile === undefined || tlsCert !== undefined) return []
  const message =
    `tokens and values travel to ${formatAddress(listen)} unencrypted; ` +
    'give --tls-cert and --tls-key, or put a proxy with TLS in front'
  return [{ field: at(config, 'listen'), message }]
}

function otherSchemes(config: ConfigValues): FieldError[] {
  const self = own(config)
  const scheme = schemeOf(config.values)
  if (self === undefined || new URL(self.url).protocol === `${scheme}:`) return []
  const message = `this node speaks ${scheme}, and is ${self.url}; right only behind a proxy`
  return [{ field: at(config, 'peers'), message }]
}

/** What is looked for after a break-in should not hang on how much is logged. */
function hiddenAudit(config: ConfigValues): FieldError[] {
  const { tokensFile, auditLog, logLevel } = config.values
  if (tokensFile === undefined || auditLog !== undefined || logLevel === 'info') return []
  const message = `the audit is logged at level info, and ${logLevel} hides it; give --audit-log`
  return [{ field: at(config, 'logLevel'), message }]
}

/** Right behind a proxy, and a mistake without one. */
function otherPorts(config: ConfigValues): FieldError[] {
  const { listen, peerListen } = config.values
  const self = own(config)
  if (self === undefined) return []
  const differs = (id: SettingId, address: Address | undefined, url: string): FieldError[] => {
    if (address === undefined || address.port === addressOfUrl(url).port) return []
    const message = `port ${address.port} is not that of ${url}; right only behind a proxy`
    return [{ field: at(config, id), message }]
  }
  return [
    ...differs('listen', listen, self.url),
    ...(self.peerUrl === undefined
      ? []
      : differs(peerListen ? 'peerListen' : 'listen', peerListen ?? listen, self.peerUrl)),
  ]
}

function unreachableUrls(config: ConfigValues): FieldError[] {
  const { listen, peers } = config.values
  if (listen === undefined) return []
  const told = (message: string): FieldError[] => [{ field: at(config, 'listen'), message }]
  if (peers === undefined && isWildcard(listen)) {
    return told(`clients elsewhere are told ${urlOfAddress(listen)}; name another with --peers`)
  }
  const self = own(config)
  if (self === undefined || !isLoopback(listen) || isLoopback(addressOfUrl(self.url))) return []
  return told(`only this machine reaches it, and not ${self.url}; right only behind a proxy`)
}

function fewerCopies(config: ConfigValues): FieldError[] {
  const { replicas = 0 } = config.values
  const members = membersOf(config.values).length
  if (config.origins.replicas.kind === 'default' || members === 0 || replicas <= members) return []
  const message = `${replicas} copies of each key need ${replicas} nodes, and there are ${members}`
  return [{ field: at(config, 'replicas'), message }]
}

/** All siblings of a key travel in one message between nodes. */
function hugeSiblings(config: ConfigValues): FieldError[] {
  const { valueBytesMax = 0, bucketMaxSiblings = 0 } = config.values
  const most = bucketMaxSiblings * (valueBytesMax + limits.keyBytesMax)
  if (most < limits.peerFrameBytesMax) return []
  const message =
    `${bucketMaxSiblings} siblings of ${formatBytes(valueBytesMax)} are more than the ` +
    `${formatBytes(limits.peerFrameBytesMax)} that nodes send at once: such keys cannot be read`
  return [{ field: at(config, 'valueBytesMax'), message }]
}
