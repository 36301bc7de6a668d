/** `update`: read, make one value of siblings, change it, write it with the context of the read. */
import { type Env, limits, type Millis, millis } from '@shoal/kernel'
import { faultOfCount } from '../core/check.ts'
import { failedHere } from '../core/failure.ts'
import { judgeRound } from '../core/update.ts'
import { Conflict, DeadlineExceeded, errorFrom, ShoalClientError } from '../errors.ts'
import type { Body, CallOptions, Change, PutOptions, Resolve, UpdateOptions } from '../options.ts'
import { encodeBody, refuse } from './make-operation.ts'
import type { Read, SiblingsRead, Written } from './results.ts'
import { StoredValue } from './value.ts'

/** What `update` came to. */
export type Updated =
  | { readonly kind: 'written'; readonly value: StoredValue; readonly written: Written }
  | { readonly kind: 'deleted'; readonly written: Written }
  /** The function returned undefined: nothing was written, siblings stay siblings. */
  | { readonly kind: 'unchanged'; readonly read: Read }

/** The operations an update is made of, on its key. */
export interface UpdateSteps {
  get(options: CallOptions): Promise<Read>
  put(value: Body, options: PutOptions): Promise<Written>
  delete(options: PutOptions): Promise<Written>
}

export interface UpdateParts {
  readonly env: Env
  readonly steps: UpdateSteps
  readonly change: (current: StoredValue | undefined) => Change | Promise<Change>
}

const ROUNDS_DEFAULT = 8

export async function runUpdate(
  parts: UpdateParts,
  options: UpdateOptions,
  timeout: Millis,
): Promise<Updated> {
  const roundsMax = options.rounds ?? ROUNDS_DEFAULT
  refuse(faultOfCount('rounds', roundsMax, { min: 1, max: limits.clientUpdateTriesMax }))
  const { clock, random } = parts.env
  const deadline = clock.elapsed() + timeout
  for (let round = 1; ; round++) {
    const left = (): CallOptions => ({
      signal: options.signal,
      consistency: options.consistency,
      timeoutMs: timeLeft(deadline - clock.elapsed()),
    })
    const read = await parts.steps.get(left())
    const current = await currentOf(read, options.resolve)
    const next = await parts.change(current)
    if (next === undefined) return { kind: 'unchanged', read }
    try {
      return await write(parts.steps, next, { ...options, ...left(), ...guardOf(read, options) })
    } catch (error) {
      if (!(error instanceof ShoalClientError)) throw error
      const chance = random('client/update').below(1 << 20) / (1 << 20)
      const verdict = judgeRound(error, { round, roundsMax, chance })
      if (verdict.kind === 'give-up') throw error
      if (verdict.kind === 'exhausted') throw exhausted(error, roundsMax)
      await rest(parts.env, verdict.pause, options.signal)
    }
  }
}

function timeLeft(left: number): number {
  if (left >= 1) return Math.floor(left)
  throw new DeadlineExceeded(
    failedHere('SHOAL_CLIENT_TIMEOUT', 'the update did not end before its deadline', {
      outcome: 'not-applied',
    }),
  )
}

const exhausted = (last: ShoalClientError, rounds: number): Conflict =>
  new Conflict(
    failedHere('SHOAL_CLIENT_CONFLICT', `the key changed during each of ${rounds} rounds`, {
      node: last.node,
      cause: last,
    }),
  )

async function currentOf(read: Read, resolve: Resolve): Promise<StoredValue | undefined> {
  if (read.kind === 'absent') return undefined
  if (read.kind === 'value') return read.value
  const chosen = await resolved(read, resolve)
  if (chosen instanceof StoredValue) return chosen
  const { body, contentType } = encodeBody(chosen)
  return new StoredValue({ data: body, contentType, contentEncoding: '', etag: '', modified: '' })
}

async function resolved(read: SiblingsRead, resolve: Resolve): Promise<StoredValue | Body> {
  if (typeof resolve === 'function') return await resolve(read.siblings)
  if (resolve === 'newest') return newest(read.siblings)
  throw errorFrom(
    failedHere('SHOAL_CLIENT_CONFLICT', `the key has ${read.siblings.length} siblings`, {
      node: read.node,
    }),
  )
}

function newest(siblings: readonly StoredValue[]): StoredValue {
  const time = ({ modified }: StoredValue): number => modified?.getTime() ?? 0
  return siblings.reduce((best, other) => (time(other) >= time(best) ? other : best))
}

/** What ties the write to what was read. */
function guardOf(read: Read, { check = true }: UpdateOptions): PutOptions {
  if (!check) return { context: read.context }
  return read.kind === 'absent'
    ? { context: read.context, ifNoneMatch: '*' }
    : { context: read.context, ifMatch: read.etag }
}

async function write(steps: UpdateSteps, next: Body | null, options: PutOptions): Promise<Updated> {
  if (next === null) return { kind: 'deleted', written: await steps.delete(options) }
  const written = await steps.put(next, options)
  const { body, contentType } = encodeBody(next)
  const value = new StoredValue({
    data: body,
    contentType: options.contentType ?? contentType,
    contentEncoding: '',
    etag: written.etag,
    modified: written.modified?.getTime() ?? '',
  })
  return { kind: 'written', value, written }
}

/** Ends early when the signal fires; the read that follows then says so. */
const rest = (env: Env, pause: Millis, signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve) => {
    const end = (): void => {
      timer.cancel()
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = env.clock.after(millis(Math.max(1, pause)), end)
    signal?.addEventListener('abort', end, { once: true })
  })
