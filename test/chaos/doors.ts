/** The two ways in which clients reach the store: plain HTTP, and the client package. */
import { type Client, ShoalClientError, type StoredValue } from '@shoal/client'
import { type Answer, ask, keepAlive, kv } from '../support/http.ts'
import { parseReceipt, valuesOf } from '../support/kv-answers.ts'
import type { NodeProcess } from '../support/node-process.ts'
import type { ProblemBody } from '../support/problems.ts'
import type { Outcome, Shown } from './history.ts'
import { idIn } from './values.ts'

export interface Level {
  readonly level: 'one' | 'quorum' | 'all'
  readonly strict?: boolean
  readonly w?: number
  readonly durable?: number
}

export interface Seen {
  readonly shown: readonly Shown[]
  readonly context: string
  readonly through: string
}

export interface Done {
  readonly outcome: Outcome
  /** Of an acknowledged write. */
  readonly context: string
  readonly etag: string
  readonly isStrict: boolean
  readonly through: string
  readonly note: string
}

export interface WriteOrder {
  readonly key: string
  /** Absent: a delete. */
  readonly text: string | undefined
  readonly context: string
  readonly level: Level
}

/** Answers that no fault excuses are told to `surprises`. */
export interface Door {
  /** Writes may have been sent more than once. */
  readonly repeats: boolean
  /** @returns undefined when there was no answer, or none that shows the key */
  read(key: string, level: Level): Promise<Seen | undefined>
  write(order: WriteOrder): Promise<Done>
  close(): Promise<void>
}

export interface DoorSettings {
  readonly bucket: string
  surprise(words: string): void
}

const TIMEOUT_MS = 6_000

/** With other values or a tombstone beside it an ETag is that of them all, and holds a dot. */
const ofOne = (etag: string): string => (etag.includes('.') ? '' : etag)

const inMajority = ({ primaries, n }: { primaries: number; n: number }): boolean =>
  primaries > n / 2

/** One request, sent once, to a node that the caller chooses. */
export class PlainDoor implements Door {
  readonly repeats = false
  readonly #agent = keepAlive()
  readonly #settings: DoorSettings
  readonly #choose: () => NodeProcess

  constructor(settings: DoorSettings, choose: () => NodeProcess) {
    this.#settings = settings
    this.#choose = choose
  }

  async read(key: string, level: Level): Promise<Seen | undefined> {
    const { id, url } = this.#choose()
    const answer = await this.#ask(url, key, { headers: { Consistency: itemOf(level) } })
    if (!(answer instanceof Error) && [200, 300, 404].includes(answer.status)) {
      return { shown: shownIn(answer), context: answer.header('Causal-Context'), through: id }
    }
    if (!(answer instanceof Error)) this.#refused('GET', answer)
    return undefined
  }

  async write({ key, text, context, level }: WriteOrder): Promise<Done> {
    const { id, url } = this.#choose()
    const method = text === undefined ? 'DELETE' : 'PUT'
    const answer = await this.#ask(url, key, {
      method,
      headers: {
        Consistency: itemOf(level),
        ...(context === '' ? {} : { 'Causal-Context': context }),
      },
      ...(text === undefined ? {} : { body: text }),
    })
    const about = { context: '', etag: '', isStrict: false, through: id }
    const asked = `${method} through ${id} at ${itemOf(level)}`
    if (answer instanceof Error) {
      const isSent = (answer as NodeJS.ErrnoException).code !== 'ECONNREFUSED'
      const outcome = isSent ? 'unknown' : 'refused'
      return { ...about, outcome, note: `${asked}: ${answer.message}` }
    }
    if (answer.status !== 204) {
      const outcome = this.#refused(method, answer)
      return { ...about, outcome, note: `${asked}: ${answer.status} ${answer.text.slice(0, 300)}` }
    }
    const receipt = answer.header('Receipt')
    const { primaries, n } = parseReceipt(receipt)
    return {
      outcome: 'acknowledged',
      context: answer.header('Causal-Context'),
      etag: ofOne(answer.header('ETag')),
      isStrict: inMajority({ primaries: Number(primaries), n: Number(n) }),
      through: id,
      note: `${asked}: ${receipt}`,
    }
  }

  async #ask(
    url: string,
    key: string,
    question: Parameters<typeof ask>[2],
  ): Promise<Answer | Error> {
    const { bucket } = this.#settings
    const more = { agent: this.#agent, timeoutMs: TIMEOUT_MS }
    return ask(url, kv(bucket, key), { ...question, ...more }).catch((error: Error) => error)
  }

  /** What a store under faults may say: not now, not known, or too many siblings. */
  #refused(method: string, answer: Answer): Outcome {
    const { code, outcome } = problemIn(answer)
    const mayBe =
      (answer.status === 503 && outcome === 'not-applied') ||
      answer.status === 504 ||
      (answer.status === 409 && code === 'SHOAL_SIBLINGS_FULL')
    if (!mayBe) this.#settings.surprise(`${method}: ${answer.status} ${answer.text.slice(0, 500)}`)
    return outcome === 'not-applied' ? 'refused' : 'unknown'
  }

  async close(): Promise<void> {
    this.#agent.destroy()
  }
}

export const itemOf = ({ level, strict, w, durable }: Level): string =>
  [
    level,
    ...(w === undefined ? [] : [`w=${w}`]),
    ...(durable === undefined ? [] : [`durable=${durable}`]),
    ...(strict ? ['strict'] : []),
  ].join(';')

export const shownIn = (answer: Answer): Shown[] =>
  valuesOf(answer).map(({ etag, text }) => ({ id: idIn(text), etag: ofOne(etag) }))

function problemIn(answer: Answer): Partial<ProblemBody> {
  try {
    return answer.json() as ProblemBody
  } catch {
    return {}
  }
}

/** Routing, retries and hedges as programs have them. */
export class PackageDoor implements Door {
  readonly repeats = true
  readonly #client: Client
  readonly #settings: DoorSettings

  constructor(settings: DoorSettings, client: Client) {
    this.#settings = settings
    this.#client = client
  }

  async read(key: string, consistency: Level): Promise<Seen | undefined> {
    try {
      const read = await this.#client.get(this.#settings.bucket, key, { consistency })
      const values =
        read.kind === 'siblings' ? read.siblings : read.kind === 'value' ? [read.value] : []
      return { shown: values.map(toShown), context: read.context, through: read.node }
    } catch (error) {
      this.#refused('get', error)
      return undefined
    }
  }

  async write({ key, text, context, level: consistency }: WriteOrder): Promise<Done> {
    const { bucket } = this.#settings
    const options = { consistency, ...(context === '' ? {} : { context }) }
    const asked = `${text === undefined ? 'delete' : 'put'} by the client at ${itemOf(consistency)}`
    try {
      const written =
        text === undefined
          ? await this.#client.delete(bucket, key, options)
          : await this.#client.put(bucket, key, text, options)
      const { receipt, node: through } = written
      return {
        outcome: 'acknowledged',
        context: written.context,
        etag: ofOne(written.etag),
        isStrict: receipt !== undefined && inMajority(receipt),
        through,
        note: `${asked}, answered by ${through}: ${JSON.stringify(receipt)}`,
      }
    } catch (error) {
      const outcome = this.#refused('write', error)
      const note = `${asked}: ${(error as Error).message}`
      return { outcome, context: '', etag: '', isStrict: false, through: '', note }
    }
  }

  #refused(what: string, error: unknown): Outcome {
    if (!(error instanceof ShoalClientError)) throw error
    const { name, code, status, outcome } = error
    const isExcused =
      status === 0 || status === 503 || status === 504 || code === 'SHOAL_SIBLINGS_FULL'
    if (!isExcused) {
      this.#settings.surprise(`${what} by the client: ${name} ${code} ${status}: ${error.message}`)
    }
    return outcome === 'not-applied' ? 'refused' : 'unknown'
  }

  close(): Promise<void> {
    return this.#client.close()
  }
}

const toShown = (value: StoredValue): Shown => ({ id: idIn(value.text()), etag: ofOne(value.etag) })
