import { type ShoalError, toProblem } from '@shoal/kernel'
import { asciiJson } from './raw-answers.ts'

/**
 * The document of a problem that is answered often, written beforehand but for the request's id.
 *
 * @returns the document for an id; ASCII only, so its characters are its bytes
 */
export function problemText(error: ShoalError): (id: string) => string {
  const [before = '', after = ''] = asciiJson(toProblem(error, `urn:shoal:request:${GAP}`)).split(
    GAP,
  )
  return (id) => `${before}${id}${after}`
}

/** Stands for the id; no text of ours has it. */
const GAP = '@id@'
