import { readdir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { type ErrorCode, invariant, ShoalError } from '@shoal/kernel'
import { hasDamagedLog } from './log-check.ts'
import { makeDirectories } from './make-directories.ts'
import {
  type Fields,
  formatFields,
  parseFields,
  readText,
  removeDurably,
  renameDurably,
  syncDirectory,
  writeDurably,
} from './text-file.ts'

/**
 * A data directory says whose it is, so that a node never starts on the disk of another one, and a
 * mistyped path never becomes a database.
 *
 *   SHOAL       format, cluster, node. Present once the database has been made.
 *   SHOAL.new   the same, while the database is being made for the first time.
 *   CLOSED      what a clean close left in `rocksdb/`, by name and size. Gone while open.
 *   DAMAGED     a log was found damaged before its end, and this is not in the database yet.
 *   rocksdb/    RocksDB's files.
 *
 * RocksDB looks after its tables by itself. It does not notice a log that is missing, and begins a
 * new database where the old one's CURRENT is gone; CLOSED and the checks here are for those.
 */
export interface DataDirectory {
  readonly databasePath: string
  /**
   * No database was made here yet, or its making was cut short: nothing in it was ever
   * acknowledged.
   */
  readonly isNew: boolean
  /**
   * A log is damaged before its end: opening the database drops acknowledged writes. Stays true for
   * every start until `noted`.
   */
  readonly hasLost: boolean
  /** The database itself tells from now on that something was lost. */
  noted(): Promise<void>
  /** The database is there: the directory is ours from now on. */
  settle(): Promise<void>
  /** Leaves word of what a clean close left behind. */
  leave(): Promise<void>
}

export interface Owner {
  readonly directory: string
  readonly cluster: string
  readonly node: string
}

export const DIRECTORY_FORMAT = 1
const TITLE = 'Shoal data directory'
const CLOSED_TITLE = 'Shoal store closed'
const IDENTITY = 'SHOAL'
const NEW_IDENTITY = 'SHOAL.new'
const CLOSED = 'CLOSED'
const DAMAGED = 'DAMAGED'
const DATABASE = 'rocksdb'
/** What may stand in a directory that is still to be ours. */
const HARMLESS = new Set(['lost+found', NEW_IDENTITY, `${NEW_IDENTITY}.draft`])

export async function openDataDirectory(owner: Owner): Promise<DataDirectory> {
  invariant(!/\s/.test(owner.cluster + owner.node), 'names of clusters and nodes hold no spaces')
  const directory = resolve(owner.directory)
  const databasePath = join(directory, DATABASE)
  const identity = await readIdentity(directory)
  if (identity !== undefined) {
    checkIdentity(directory, identity, owner)
    await checkDatabase(directory)
  } else {
    await claim(directory, owner)
  }
  const isNew = identity === undefined
  return {
    databasePath,
    isNew,
    hasLost: !isNew && (await findDamage(directory)),
    noted: () => removeDurably(join(directory, DAMAGED)),
    settle: async () => {
      if (!isNew) return
      await syncDirectory(directory)
      await renameDurably(join(directory, NEW_IDENTITY), join(directory, IDENTITY))
    },
    leave: () => leaveClosed(directory),
  }
}

function refuse(code: ErrorCode, directory: string, reason: string): ShoalError {
  return new ShoalError(code, `${directory}: ${reason}`)
}

async function readIdentity(directory: string): Promise<string | undefined> {
  try {
    return await readText(join(directory, IDENTITY))
  } catch (error) {
    throw unusable(directory, error)
  }
}

function unusable(directory: string, error: unknown): ShoalError {
  const reason = error instanceof Error ? error.message : String(error)
  return new ShoalError(
    'SHOAL_CONFIG_INVALID',
    `the data directory ${directory} cannot be used: ${reason}`,
    {
      cause: error,
    },
  )
}

function checkIdentity(directory: string, text: string, owner: Owner): void {
  // Before the checksum: a newer format may have none, or another one.
  const format = /^Shoal data directory\nformat (\d+)\n/.exec(text)?.[1]
  if (format !== undefined && Number(format) > DIRECTORY_FORMAT) {
    throw refuse(
      'SHOAL_STORE_NEWER',
      directory,
      `it has format ${format}; this version knows ${DIRECTORY_FORMAT}`,
    )
  }
  const fields = parseFields(TITLE, text)
  if (!fields) throw refuse('SHOAL_STORE_DAMAGED', directory, `its file ${IDENTITY} is damaged`)
  const found = Object.fromEntries(fields)
  if (found.cluster !== owner.cluster)
    throw foreign(directory, 'cluster', found.cluster, owner.cluster)
  if (found.node !== owner.node) throw foreign(directory, 'node', found.node, owner.node)
}

function foreign(
  directory: string,
  kind: string,
  got: string | undefined,
  wanted: string,
): ShoalError {
  const reason = `it belongs to ${kind} ${got ?? 'unknown'}, not to ${wanted}`
  return new ShoalError('SHOAL_STORE_FOREIGN', `${directory}: ${reason}`, {
    wanted,
    ...(got === undefined ? {} : { got }),
  })
}

/** Refuses a database that RocksDB would silently begin anew, or open with rows missing. */
async function checkDatabase(directory: string): Promise<void> {
  const damaged = (reason: string): ShoalError => refuse('SHOAL_STORE_DAMAGED', directory, reason)
  const current = join(DATABASE, 'CURRENT')
  if ((await readText(join(directory, current))) === undefined)
    throw damaged(`${current} is missing`)
  const text = await readText(join(directory, CLOSED))
  if (text === undefined) return
  const fields = parseFields(CLOSED_TITLE, text)
  if (!fields) throw damaged(`its file ${CLOSED} is damaged`)
  for (const [name, size] of fields) {
    const file = await stat(join(directory, DATABASE, name)).catch(() => undefined)
    if (!file) throw damaged(`${join(DATABASE, name)} is missing`)
    if (file.size !== Number(size)) {
      throw damaged(`${join(DATABASE, name)} has ${file.size} bytes instead of ${size}`)
    }
  }
  // Gone before RocksDB changes anything, so that it never speaks of an earlier state.
  await removeDurably(join(directory, CLOSED))
}

/** Noted on disk before RocksDB opens, because afterwards the damaged log is gone. */
async function findDamage(directory: string): Promise<boolean> {
  const note = join(directory, DAMAGED)
  if ((await readText(note)) !== undefined) return true
  if (!(await hasDamagedLog(join(directory, DATABASE)))) return false
  await writeDurably(note, 'A log of this database is damaged; what stood behind it is lost.\n')
  return true
}

async function leaveClosed(directory: string): Promise<void> {
  const database = join(directory, DATABASE)
  const names = (await readdir(database)).filter((name) => /\.(log|sst)$|^MANIFEST-/.test(name))
  const fields: Fields = await Promise.all(
    names
      .sort()
      .map(async (name) => [name, String((await stat(join(database, name))).size)] as const),
  )
  await writeDurably(join(directory, CLOSED), formatFields(CLOSED_TITLE, fields))
}

/**
 * Marks an empty directory as ours to be. An earlier attempt that was cut short is taken up again.
 */
async function claim(directory: string, owner: Owner): Promise<void> {
  await makeDurably(directory).catch((error: unknown) => {
    throw unusable(directory, error)
  })
  const names = await readdir(directory)
  const draft = await readText(join(directory, NEW_IDENTITY))
  const ours = draft !== undefined && parseFields(TITLE, draft) !== undefined
  if (ours) checkIdentity(directory, draft, owner)
  const strange = names.filter((name) => !HARMLESS.has(name) && !(ours && name === DATABASE))
  if (strange.length > 0) {
    const shown = strange.sort().slice(0, 3).join(', ')
    throw refuse(
      'SHOAL_STORE_FOREIGN',
      directory,
      `it is not empty and not a Shoal data directory; it holds ${shown}`,
    )
  }
  if (!ours) await writeDurably(join(directory, NEW_IDENTITY), identityText(owner))
  await makeDurably(join(directory, DATABASE))
}

function identityText({ cluster, node }: Owner): string {
  return formatFields(TITLE, [
    ['format', String(DIRECTORY_FORMAT)],
    ['cluster', cluster],
    ['node', node],
  ])
}

async function makeDurably(directory: string): Promise<void> {
  for (const made of await makeDirectories(directory)) await syncDirectory(dirname(made))
}
