/** `shoal secure add-token`, `tokens` and `revoke`. */
import { randomBytes } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ShoalError } from '@shoal/kernel'
import {
  digestOf,
  formatToken,
  makeToken,
  readTokens,
  type TokenRecord,
  withoutToken,
} from '@shoal/node/tokens'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { tableLines } from '../format/table.ts'
import { isThere, putFile, readText, secretMode, unusable } from '../secure/files.ts'
import type { Io } from '../terminal.ts'

interface AddOptions {
  readonly name: string
  readonly scopes: readonly string[]
  /** `false` by --no-buckets. */
  readonly buckets?: readonly string[] | boolean
  readonly days?: number
  readonly rate?: number
}

const DAY_MS = 86_400_000

export async function addToken(io: Io, path: string, options: AddOptions): Promise<ExitCode> {
  const { id, token } = makeToken({ id: randomBytes(5), secret: randomBytes(32) })
  const now = new Date()
  const { name, scopes, buckets, days, rate } = options
  const record = {
    id,
    name,
    digest: digestOf(token),
    // What is wrong with any of them is told when the file is read again, below.
    scopes: scopes as TokenRecord['scopes'],
    buckets: Array.isArray(buckets) ? buckets : buckets === false ? [] : ['*'],
    expires: days === undefined ? undefined : now.getTime() + days * DAY_MS,
    rate,
  }
  const block = formatToken(record, now)
  await change(path, (text) => `${text.trimEnd()}\n\n${block}`.trimStart())
  io.out.line(token)
  io.err.line(`${id}: this is the only time that it is shown`)
  return exitCodes.done
}

export async function listTokens(
  { out }: Io,
  path: string,
  { json }: { json?: true },
): Promise<ExitCode> {
  const [file = path] = await filesAt(path)
  const tokens = readTokens(file, await readText(file))
  const shown = tokens.map(({ id, name, scopes, buckets, expires, rate }) => ({
    id,
    name,
    scopes,
    buckets,
    ...(expires === undefined ? {} : { expires: new Date(expires).toISOString() }),
    ...(rate === undefined ? {} : { rate }),
  }))
  if (json) out.json({ tokens: shown })
  else {
    const columns = ['id', 'name', 'scopes', 'buckets', 'until', 'rate'].map((title) => ({ title }))
    const rows = shown.map(({ id, name, scopes, buckets, expires, rate }) => [
      id,
      name,
      scopes.join(', '),
      buckets.join(', ') || 'none',
      expires ?? 'for ever',
      rate === undefined ? '-' : String(rate),
    ])
    out.lines(tableLines(columns, rows, out.paint.dim))
  }
  return exitCodes.done
}

export async function revokeToken({ out }: Io, path: string, id: string): Promise<ExitCode> {
  const files = await change(path, (text, file) => withoutToken(file, text, id))
  if (files.length === 0) {
    throw new ShoalError('SHOAL_CONFIG_INVALID', `no token ${id} stands in ${path}`)
  }
  out.lines(files.map((file) => `${file}: ${id} is out`))
  return exitCodes.done
}

/** @returns the files that were changed; each is right before it is written */
async function change(
  path: string,
  next: (text: string, file: string) => string,
): Promise<readonly string[]> {
  const changed: string[] = []
  for (const file of await filesAt(path)) {
    const text = (await isThere(file)) ? await readText(file) : ''
    const after = next(text, file)
    if (after === text) continue
    readTokens(file, after)
    await putFile(file, after, secretMode)
    changed.push(file)
  }
  return changed
}

/** The file itself; of a folder its own file of tokens and those of the nodes in it. */
async function filesAt(path: string): Promise<readonly string[]> {
  const isFolder = (await isThere(path)) && (await stat(path)).isDirectory()
  if (!isFolder) return [path]
  const name = 'tokens.toml'
  try {
    const below = (await readdir(path)).map((each) => join(path, each, name))
    const there: string[] = []
    for (const each of [join(path, name), ...below]) {
      if (await isThere(each).catch(() => false)) there.push(each)
    }
    return there
  } catch (error) {
    throw unusable(path, error)
  }
}
