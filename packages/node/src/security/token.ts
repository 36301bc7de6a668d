/**
 * API tokens: `shoal_` id `_` secret. The prefix lets scanners for leaked credentials find one, the
 * id names it without betraying it, and 256 random bits need no slow hash: nobody guesses them, so
 * one SHA-256 of the whole text is kept instead of the token.
 */
import { hash, timingSafeEqual } from 'node:crypto'
import type { Scope } from './scopes.ts'

export interface TokenRecord {
  readonly id: string
  /** For people: who or what uses it. */
  readonly name: string
  /** SHA-256 of the token. */
  readonly digest: Buffer
  readonly scopes: readonly Scope[]
  /** Names of buckets; one that ends in `*` stands for all that begin so. */
  readonly buckets: readonly string[]
  /** Unix milliseconds; undefined for never. */
  readonly expires: number | undefined
  /** Operations a second; undefined for the node's own bound. */
  readonly rate: number | undefined
}

const TOKEN = /^shoal_([a-z0-9]{8})_[A-Za-z0-9_-]{43}$/
export const TOKEN_ID = /^[a-z0-9]{8}$/

/** What random bytes become. 5 of them make the id, 32 the secret. */
export const tokenIdBytes = 5
export const tokenSecretBytes = 32

export function makeToken(random: { readonly id: Buffer; readonly secret: Buffer }): {
  readonly id: string
  readonly token: string
} {
  const id = base32(random.id)
  return { id, token: `shoal_${id}_${random.secret.toString('base64url')}` }
}

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'

/** 5 bytes are 8 characters. */
function base32(bytes: Buffer): string {
  let bits = BigInt(`0x${bytes.toString('hex')}`)
  let text = ''
  for (let left = (bytes.length * 8) / 5; left > 0; left--) {
    text = alphabet[Number(bits & 31n)] + text
    bits >>= 5n
  }
  return text
}

/** The id in what was presented, undefined where it has not the form of a token. */
export const idOf = (token: string): string | undefined => TOKEN.exec(token)?.[1]

export const digestOf = (token: string): Buffer => hash('sha256', token, 'buffer')

/** In a time that says nothing of how far they agree. */
export const isSame = (one: Buffer, other: Buffer): boolean =>
  one.length === other.length && timingSafeEqual(one, other)

const PATTERN = /^[A-Za-z0-9._-]{0,128}\*?$/

/** Why this is no pattern of buckets, undefined when it is one. */
export const faultOfPattern = (pattern: string): string | undefined =>
  PATTERN.test(pattern) && pattern !== ''
    ? undefined
    : 'it is the name of a bucket, or the beginning of names and a *'

/** Whether a bucket is among those of a token. */
export function covers(patterns: readonly string[], bucket: string): boolean {
  for (const pattern of patterns) {
    if (pattern.endsWith('*') ? bucket.startsWith(pattern.slice(0, -1)) : bucket === pattern) {
      return true
    }
  }
  return false
}
