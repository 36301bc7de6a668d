/**
 * Files that may be replaced while the node runs: read at the start, looked at every few seconds,
 * read again when they have changed. Not by the system's notices of changes, which are lost when a
 * mounted folder is swapped as a whole, the way Kubernetes does it.
 */
import { readFile, stat } from 'node:fs/promises'
import { ShoalError } from '@shoal/kernel'

export interface WatchedFile {
  readonly path: string
  readonly bytesMax: number
}

/** Some files that only make sense together, and what is made of them. */
export class WatchedFiles {
  readonly #files: readonly WatchedFile[]
  readonly #take: (texts: readonly string[]) => void
  #seen = ''

  /** @param take  given the texts in the order of the files; what it throws leaves all as it was */
  constructor(files: readonly WatchedFile[], take: (texts: readonly string[]) => void) {
    this.#files = files
    this.#take = take
  }

  get paths(): readonly string[] {
    return this.#files.map(({ path }) => path)
  }

  /**
   * Reads them if they are not those that were taken last.
   *
   * @returns whether they were taken
   * @throws SHOAL_CONFIG_INVALID; they are looked at again next time
   */
  async refresh(): Promise<boolean> {
    const seen = (await Promise.all(this.#files.map(({ path }) => markOf(path)))).join()
    if (seen === this.#seen) return false
    this.#take(await Promise.all(this.#files.map(read)))
    this.#seen = seen
    return true
  }
}

/** What changes when a file is written or replaced. */
async function markOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeNs } = await stat(path, { bigint: true })
    return `${ino}/${size}/${mtimeNs}`
  } catch (error) {
    throw unreadable(path, error)
  }
}

async function read({ path, bytesMax }: WatchedFile): Promise<string> {
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (error) {
    throw unreadable(path, error)
  }
  if (bytes.length > bytesMax) throw invalid(path, `the file is larger than ${bytesMax} bytes`)
  return bytes.toString('utf8')
}

const unreadable = (path: string, error: unknown): ShoalError =>
  invalid(path, `the file cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}`)

const invalid = (field: string, message: string): ShoalError =>
  new ShoalError('SHOAL_CONFIG_INVALID', `${field}: ${message}`, { errors: [{ field, message }] })
