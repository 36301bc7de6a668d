/** What one node needs, in a folder to be copied to its machine. */
import { mkdir } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import type { CertificateAndKey } from '@shoal/node/authority'
import type { ConfiguredMember } from '@shoal/node/config'
import { isThere, publicMode, putFile, secretMode, unusable } from './files.ts'

export interface NodeFolder {
  readonly folder: string
  readonly member: ConfiguredMember
  readonly made: CertificateAndKey
  /** Alike for all nodes. */
  readonly shared: { readonly ca: string; readonly secret: string; readonly tokens: string }
  /** Absent: the node has a configuration, or its owner writes one. */
  readonly members?: readonly ConfiguredMember[]
}

/** Certificate and key are replaced, what else is there stays as it is. */
export async function writeNodeFolder(node: NodeFolder): Promise<void> {
  const { folder, member, made, shared, members } = node
  const path = (name: string): string => join(folder, name)
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw unusable(folder, error)
  }
  await putFile(path('key.pem'), made.key, secretMode)
  await putFile(path('cert.pem'), made.cert, publicMode)
  const once: [string, string, number][] = [
    ['ca.pem', shared.ca, publicMode],
    ['secret', shared.secret, secretMode],
    ['tokens.toml', shared.tokens, secretMode],
    ...(members ? [['shoal.toml', configOf(member, members), publicMode] as const] : []),
  ].map(([name, text, mode]) => [String(name), String(text), Number(mode)])
  for (const [name, text, mode] of once) {
    if (!(await isThere(path(name)))) await putFile(path(name), text, mode)
  }
}

/** Paths start from the folder of the file. */
function configOf(member: ConfiguredMember, members: readonly ConfiguredMember[]): string {
  const text = (value: string): string => JSON.stringify(value)
  const tables = members.map(({ id, url, zone, host, weight, peerUrl }) =>
    [
      '[[members]]',
      `id = ${text(id)}`,
      `url = ${text(url)}`,
      ...(zone ? [`zone = ${text(zone)}`] : []),
      ...(host ? [`host = ${text(host)}`] : []),
      ...(weight === undefined ? [] : [`weight = ${weight}`]),
      ...(peerUrl ? [`peer = ${text(peerUrl)}`] : []),
    ].join('\n'),
  )
  return `${[
    [
      `node-id = ${text(member.id)}`,
      `listen = ${text(listenOf(member.url))}`,
      ...(member.peerUrl ? [`peer-listen = ${text(listenOf(member.peerUrl))}`] : []),
      'data = "data"',
      'secret-file = "secret"',
      'tokens-file = "tokens.toml"',
      'tls-cert = "cert.pem"',
      'tls-key = "key.pem"',
      'tls-ca = "ca.pem"',
      'audit-log = "audit.log"',
    ].join('\n'),
    ...tables,
  ].join('\n\n')}\n`
}

/** A node that is known by a name listens on all addresses: what the name means may change. */
function listenOf(url: string): string {
  const { hostname, port } = new URL(url)
  const isAddress = isIP(hostname.replace(/^\[(.*)\]$/, '$1')) !== 0 || hostname === 'localhost'
  return `${isAddress ? hostname : '0.0.0.0'}:${port || '443'}`
}

/** Names under which others reach a node, and its own machine. */
export function hostsOf({ url, peerUrl }: ConfiguredMember, more: readonly string[]): string[] {
  const urls = [url, ...(peerUrl ? [peerUrl] : [])]
  const named = urls.map((each) => new URL(each).hostname.replace(/^\[(.*)\]$/, '$1'))
  return [...new Set([...named, ...more, 'localhost', '127.0.0.1', '::1'])]
}
