import type { Random } from '@shoal/kernel'

const ID_BYTES = 16
const IDS_PER_DRAW = 256

/**
 * Idempotency keys: 128 random bits each, so that no two clients ever make the same. Drawn in
 * blocks, because a draw costs more than the bytes.
 */
export class RequestIds {
  readonly #random: Random
  #block = Buffer.alloc(0)
  #at = 0

  constructor(random: Random) {
    this.#random = random
  }

  /** 22 characters of base64url. */
  next(): string {
    if (this.#at >= this.#block.length) {
      this.#block = Buffer.from(this.#random.bytes(ID_BYTES * IDS_PER_DRAW))
      this.#at = 0
    }
    const from = this.#at
    this.#at += ID_BYTES
    return this.#block.toString('base64url', from, this.#at)
  }
}
