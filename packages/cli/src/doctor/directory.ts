/**
 * The data directory: whose it is, how much room it has, how quickly it syncs. Changes nothing in
 * it.
 */
import { access, constants, open, readdir, readFile, rm, stat, statfs } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { limits } from '@shoal/kernel'
import { formatBytes, formatMillis } from '../format/quantities.ts'
import { type Finding, failure, ok, warning } from './finding.ts'

export async function examineDirectory(path: string): Promise<Finding[]> {
  const directory = resolve(path)
  const there = await nearestExisting(directory)
  return [
    await judgeContents(directory, there),
    await judgeAccess(there),
    await judgeSpace(there),
    await judgeSync(there),
  ]
}

/** A directory that is not there yet will be made: what counts is the one above it. */
async function nearestExisting(path: string): Promise<string> {
  try {
    if ((await stat(path)).isDirectory()) return path
  } catch {
    // Not there.
  }
  return path === dirname(path) ? path : nearestExisting(dirname(path))
}

const IDENTITY = 'SHOAL'

async function judgeContents(directory: string, there: string): Promise<Finding> {
  const check = 'data directory'
  if (directory !== there) return ok(check, `${directory} is not there yet; the node makes it`)
  try {
    const names = await readdir(directory)
    if (names.includes(IDENTITY)) {
      return judgeIdentity(directory, await readFile(join(directory, IDENTITY), 'utf8'), names)
    }
    const others = names.filter((name) => name !== 'lost+found' && !name.startsWith('SHOAL.new'))
    if (others.length === 0) return ok(check, `${directory} is empty; the node fills it`)
    return failure(
      check,
      `${directory} is not empty and not one of Shoal`,
      'choose another directory; the node refuses to touch this one',
    )
  } catch (error) {
    return failure(check, `${directory}: ${(error as Error).message}`, 'give the node access to it')
  }
}

const FORMAT_KNOWN = 1

/** Reads the first lines of the identity file; whether it is whole is for the node to judge. */
export function judgeIdentity(directory: string, text: string, names: readonly string[]): Finding {
  const check = 'data directory'
  const field = (name: string): string | undefined =>
    new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]
  const [format, cluster, node] = [field('format'), field('cluster'), field('node')]
  if (format === undefined || cluster === undefined || node === undefined) {
    return failure(
      check,
      `${join(directory, IDENTITY)} is damaged`,
      'restore the directory, or give the node an empty one and let its peers refill it',
    )
  }
  if (Number(format) > FORMAT_KNOWN) {
    return failure(
      check,
      `${directory} has format ${format}, this version knows ${FORMAT_KNOWN}`,
      'start the version of Shoal that wrote it, or a newer one',
    )
  }
  const closed = names.includes('CLOSED')
    ? 'closed cleanly'
    : 'open in a running node, or not closed cleanly'
  return ok(check, `${directory}: node ${node} of cluster ${cluster}, format ${format}, ${closed}`)
}

async function judgeAccess(there: string): Promise<Finding> {
  try {
    await access(there, constants.R_OK | constants.W_OK | constants.X_OK)
    return ok('access', `${there} can be read and written`)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return failure(
      'access',
      `${there} cannot be read and written: ${code}`,
      `chown it to the user of the node: chown -R USER ${there}`,
    )
  }
}

/** Magic numbers of Linux' statfs(2). */
const TMPFS = 0x01021994
const NFS = 0x6969

async function judgeSpace(there: string): Promise<Finding> {
  const { bavail, blocks, bsize, type } = await statfs(there)
  return judgeFreeSpace({ free: bavail * bsize, size: blocks * bsize, type })
}

export function judgeFreeSpace({
  free,
  size,
  type,
}: {
  free: number
  size: number
  type: number
}): Finding {
  const check = 'disk space'
  const found = `${formatBytes(free)} of ${formatBytes(size)} free`
  const least = limits.storeFreeBytesMin
  if (free < least) {
    return failure(check, found, `free some: below ${formatBytes(least)} a node refuses writes`)
  }
  if (type === TMPFS) {
    return warning(
      check,
      `${found}, in memory`,
      'this is a tmpfs: all is gone when the machine stops',
    )
  }
  if (type === NFS) {
    return warning(check, `${found}, on NFS`, 'use a local disk: syncs over the network are slow')
  }
  if (free < 4 * least) return warning(check, found, 'free some soon')
  return ok(check, found)
}

const SYNC_SAMPLES = 30
const SYNC_BYTES = 4_096

async function judgeSync(there: string): Promise<Finding> {
  const path = join(there, `.shoal-doctor-${process.pid}`)
  try {
    return judgeSyncTimes(await measureSync(path))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return failure('sync', `cannot write to ${there}: ${code}`, 'give the node access to it')
  } finally {
    await rm(path, { force: true })
  }
}

/** Milliseconds that an append of one page and its sync take, as a log of writes does. */
async function measureSync(path: string): Promise<number[]> {
  const file = await open(path, 'w')
  try {
    const page = Buffer.alloc(SYNC_BYTES, 1)
    const times: number[] = []
    for (let sample = 0; sample < SYNC_SAMPLES; sample++) {
      const begun = performance.now()
      await file.write(page)
      await file.datasync()
      times.push(performance.now() - begun)
    }
    return times
  } finally {
    await file.close()
  }
}

const SLOW_SYNC_MS = 20
/** No disk is that fast; its cache answers. */
const INCREDIBLE_SYNC_MS = 0.02

export function judgeSyncTimes(times: readonly number[]): Finding {
  const sorted = [...times].sort((one, other) => one - other)
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0
  const worst = sorted.at(-1) ?? 0
  const found = `${formatMillis(median)} in the middle, ${formatMillis(worst)} at worst`
  if (median > SLOW_SYNC_MS) {
    return warning(
      'sync',
      found,
      'every durable write waits for one: use an SSD with protection against power loss',
    )
  }
  if (median < INCREDIBLE_SYNC_MS) {
    return warning('sync', found, 'too quick to be true: this disk does not keep what it was told')
  }
  return ok('sync', found)
}
