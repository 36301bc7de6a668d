/**
 * The secret of the cluster: from the environment, or from a file. Of the two the one that stands
 * in the higher source counts. No error and no description ever holds it.
 */
import { type FieldError, limits } from '@shoal/kernel'
import { type ConfigSources, describeOrigin, type Origin } from './sources.ts'
import type { ConfigValues } from './values.ts'

export interface SecretReading {
  /** Undefined where something is wrong. */
  readonly secret: string | undefined
  readonly origin: Origin
  readonly faults: readonly FieldError[]
}

const rank: Record<Origin['kind'], number> = { flag: 4, variable: 3, file: 2, default: 1, unset: 0 }

export function readSecret(
  { values, origins }: ConfigValues,
  readFile: ConfigSources['readSecret'],
): SecretReading {
  const [inFile, inPlace] = [rank[origins.secretFile.kind], rank[origins.secret.kind]]
  const origin = inFile > inPlace ? origins.secretFile : origins.secret
  const failed = (message: string): SecretReading => ({
    secret: undefined,
    origin,
    faults: [{ field: describeOrigin(origin), message }],
  })
  if (inFile === inPlace && inFile > 0) {
    return failed('give either SHOAL_SECRET or SHOAL_SECRET_FILE, not both')
  }
  if (origin.kind === 'unset') return { secret: undefined, origin, faults: [] }
  if (inPlace > inFile) return judged(values.secret ?? '', failed, origin)
  // A path that is no path has been told of already.
  if (values.secretFile === undefined) return { secret: undefined, origin, faults: [] }
  const file = readFile(values.secretFile)
  return 'fault' in file ? failed(file.fault) : judged(file.text, failed, origin)
}

/** The line end that editors leave is no part of it. */
function judged(
  text: string,
  failed: (message: string) => SecretReading,
  origin: Origin,
): SecretReading {
  const secret = text.trim()
  const bytes = Buffer.byteLength(secret)
  const { secretBytesMin, secretBytesMax } = limits
  if (bytes === 0) return failed('the secret is empty')
  if (bytes < secretBytesMin) {
    return failed(`the secret has ${bytes} bytes; below ${secretBytesMin} it could be guessed`)
  }
  if (bytes > secretBytesMax) return failed(`the secret has more than ${secretBytesMax} bytes`)
  return { secret, origin, faults: [] }
}
