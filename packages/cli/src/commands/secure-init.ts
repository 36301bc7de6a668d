/** `shoal secure init` and `shoal secure node`. */
import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ShoalError } from '@shoal/kernel'
import { type ConfiguredMember, readMembersText } from '@shoal/node/config'
import { digestOf, formatToken, makeToken } from '@shoal/node/tokens'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { shellLine } from '../format/shell-line.ts'
import { publicMode, putFile, readText, secretMode, unusable } from '../secure/files.ts'
import { hostsOf, writeNodeFolder } from '../secure/node-folder.ts'
import type { Io } from '../terminal.ts'

interface InitOptions {
  readonly peers?: string
  readonly nodes: number
  readonly host?: readonly string[]
  readonly days: number
  readonly caDays: number
  readonly json?: true
}

const FIRST_PORT = 4100

export async function secureInit(io: Io, dir: string, options: InitOptions): Promise<ExitCode> {
  const { makeAuthority, makeNodeCertificate } = await import('@shoal/node/authority')
  const members = membersFrom(options.peers ?? localMembers(options.nodes))
  const from = Date.now()
  await makeNewFolder(dir)
  const authority = await makeAuthority('Shoal', { from, days: options.caDays })
  const first = firstToken()
  const secret = `${randomBytes(32).toString('base64url')}\n`
  const shared = { ca: authority.cert, secret, tokens: first.file }
  const path = (name: string): string => join(dir, name)
  await putFile(path('ca-key.pem'), authority.key, secretMode)
  await putFile(path('ca.pem'), shared.ca, publicMode)
  await putFile(path('secret'), shared.secret, secretMode)
  await putFile(path('tokens.toml'), shared.tokens, secretMode)
  await putFile(path('token'), `${first.token}\n`, secretMode)
  for (const member of members) {
    const hosts = hostsOf(member, options.host ?? [])
    const lifetime = { from, days: options.days }
    const made = await makeNodeCertificate(authority, { node: member.id, hosts, lifetime })
    await writeNodeFolder({ folder: path(member.id), member, made, shared, members })
  }
  report(io, { dir, members, json: options.json === true })
  return exitCodes.done
}

interface NodeOptions {
  readonly host?: readonly string[]
  readonly days: number
}

export async function secureNode(
  { out }: Io,
  dir: string,
  text: string,
  { host, days }: NodeOptions,
): Promise<ExitCode> {
  const { makeNodeCertificate } = await import('@shoal/node/authority')
  const [member, ...others] = membersFrom(text)
  if (member === undefined || others.length > 0) throw wrong('give one member, ID=URL')
  const path = (name: string): string => join(dir, name)
  const [ca, key] = [await readText(path('ca.pem')), await readText(path('ca-key.pem'))]
  const shared = {
    ca,
    secret: await readText(path('secret')),
    tokens: await readText(path('tokens.toml')),
  }
  const hosts = hostsOf(member, host ?? [])
  const lifetime = { from: Date.now(), days }
  const made = await makeNodeCertificate({ cert: ca, key }, { node: member.id, hosts, lifetime })
  const folder = path(member.id)
  await writeNodeFolder({ folder, member, made, shared })
  out.line(`${folder}: cert.pem and key.pem, for ${days} days, as ${hosts.join(', ')}`)
  return exitCodes.done
}

function membersFrom(text: string): readonly ConfiguredMember[] {
  const reading = readMembersText(text)
  if ('problems' in reading) {
    const [first] = reading.problems
    throw wrong(`${first?.part === undefined ? '' : `${first.part}: `}${first?.message}`)
  }
  for (const { id, url, peerUrl = url } of reading.value) {
    const isPlain = [url, peerUrl].some((each) => !each.startsWith('https:'))
    if (isPlain) throw wrong(`${id}: with certificates its URL begins with https:`)
  }
  return reading.value
}

const localMembers = (nodes: number): string =>
  Array.from(
    { length: nodes },
    (_, index) => `n${index + 1}=https://127.0.0.1:${FIRST_PORT + index}`,
  ).join(',')

const wrong = (message: string): ShoalError => new ShoalError('SHOAL_CONFIG_INVALID', message)

/** Whoever has it can make further tokens with fewer rights, and then take it out. */
function firstToken(): { readonly token: string; readonly file: string } {
  const { id, token } = makeToken({ id: randomBytes(5), secret: randomBytes(32) })
  const file = formatToken(
    {
      id,
      name: 'first',
      digest: digestOf(token),
      scopes: ['read', 'write', 'admin'],
      buckets: ['*'],
      expires: undefined,
      rate: undefined,
    },
    new Date(),
  )
  return { token, file }
}

async function makeNewFolder(dir: string): Promise<void> {
  try {
    await mkdir(dir, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unusable(dir, error)
    throw wrong(`${dir} is there already, and secrets are not written over others`)
  }
}

/** The token stands in its file, not on the screen, where it would stay. */
function report(
  { out }: Io,
  { dir, members, json }: { dir: string; members: readonly ConfiguredMember[]; json: boolean },
): void {
  const path = (...names: string[]): string => join(dir, ...names)
  const [first] = members
  const url = first?.url ?? ''
  if (json) {
    const nodes = members.map(({ id }) => ({ id, folder: resolve(path(id)) }))
    const files = { ca: resolve(path('ca.pem')), tokenFile: resolve(path('token')) }
    return out.json({ folder: resolve(dir), ...files, nodes })
  }
  const asked = ['shoal', 'status', '--url', url, '--ca', path('ca.pem')]
  out.lines([
    `${path('ca-key.pem')}  the key of the authority: keep it away from the nodes`,
    `${path('token')}  the first token, which may do everything`,
    ...members.map(({ id }) => `${path(id)}  for the machine of ${id}`),
    '',
    'Start each node where its folder is, and ask one of them:',
    ...members.map(
      ({ id }) => `  ${shellLine(['shoal', 'start', '--config', path(id, 'shoal.toml')])}`,
    ),
    `  ${shellLine([...asked, '--token-file', path('token')])}`,
  ])
}
