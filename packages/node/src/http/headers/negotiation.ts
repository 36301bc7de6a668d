/**
 * `Accept` and `Prefer`: wishes, not commands. Parts that make no sense are passed over, because
 * well known programs send some (Java's HttpURLConnection: `*; q=.2`), and because RFC 9110 and RFC
 * 7240 let a server ignore both headers.
 */
import { mediaTypes, resolveSiblings } from '@shoal/wire'
import { HeaderMemory } from './memory.ts'

const ELEMENTS_MAX = 64

/** How strongly each media range is wished for, most specific range last. */
interface Range {
  readonly type: string
  readonly quality: number
}

const accepted = new HeaderMemory((text) => parseAccept(text))

/**
 * The offer most wished for; the first one where the header is silent, equal or excludes all: a
 * list in an unwanted type helps a client more than a 406.
 */
export function chooseType<Offer extends string>(
  accept: string | undefined,
  offers: readonly [Offer, ...Offer[]],
): Offer {
  if (accept === undefined || accept === '*/*') return offers[0]
  const ranges = accepted.read(accept)
  let best = offers[0]
  let bestQuality = qualityOf(best, ranges)
  for (const offer of offers) {
    const quality = qualityOf(offer, ranges)
    if (quality > bestQuality) [best, bestQuality] = [offer, quality]
  }
  return best
}

function parseAccept(text: string): readonly Range[] {
  const ranges: Range[] = []
  for (const element of text.split(',', ELEMENTS_MAX)) {
    const [type, ...parameters] = element.split(';').map((part) => part.trim().toLowerCase())
    if (type === undefined || !/^[^\s/]+\/[^\s/]+$/.test(type)) continue
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1'
    const quality = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(weight) ? Number(weight) : 0
    ranges.push({ type, quality })
  }
  return ranges.sort((one, other) => specificity(one.type) - specificity(other.type))
}

const specificity = (type: string): number => (type === '*/*' ? 0 : type.endsWith('/*') ? 1 : 2)

function qualityOf(offer: string, ranges: readonly Range[]): number {
  const family = `${offer.split('/')[0]}/*`
  let quality = 0
  for (const range of ranges) {
    if (range.type === '*/*' || range.type === family || range.type === offer) {
      quality = range.quality
    }
  }
  return quality
}

/** What a key with several values may be answered as; a list in JSON unless asked otherwise. */
export const siblingForms = [mediaTypes.json, mediaTypes.siblings, mediaTypes.multipart] as const
export type SiblingForm = (typeof siblingForms)[number]

/**
 * Whether `Prefer` holds `siblings=resolve`. The first mention of a preference counts (RFC 7240).
 */
export function prefersResolved(prefer: string): boolean {
  for (const element of prefer.split(',', ELEMENTS_MAX)) {
    const preference = (element.split(';', 1)[0] ?? '').replace(/[\t "]/g, '').toLowerCase()
    if (preference === 'siblings' || preference.startsWith('siblings=')) {
      return preference === resolveSiblings
    }
  }
  return false
}
