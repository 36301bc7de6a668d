import { type Env, limits, type Timer } from '@shoal/kernel'
import type { Batch, Store } from '@shoal/storage'
import type { HintLog, Owed, Staged } from './hint-log.ts'
import { attempt, writeIfRoom } from './writing.ts'

/** A group of rows that owes: all three in one turn of the event loop. */
export interface OwedGroup {
  /** Adds to the batch what has to be on disk with its rows. */
  add(batch: Batch, owed: Owed): void
  /** The batch is with the store. */
  written(): void
  /** The batch was refused: nothing is owed. */
  discarded(): void
}

/** Rows owed after a reply, gathered: those of one turn of the event loop are one batch. */
export class Owing {
  readonly #env: Env
  readonly #store: Store
  readonly #log: HintLog
  readonly #failed: (reason: unknown) => void
  readonly #batch: Batch
  #staged: Staged[] = []
  #owed: Owed[] = []
  #syncDue: Timer | undefined

  constructor(
    { env, store }: { readonly env: Env; readonly store: Store },
    log: HintLog,
    failed: (reason: unknown) => void,
  ) {
    this.#env = env
    this.#store = store
    this.#log = log
    this.#failed = failed
    this.#batch = store.batch()
  }

  add(owed: Owed): void {
    if (this.#owed.length === 0) this.#env.nextTurn(() => this.flush())
    this.#log.add(this.#batch, owed, this.#staged)
    this.#owed.push(owed)
    if (this.#owed.length >= limits.groupOperationsMax) this.flush()
  }

  /**
   * What is owed goes to the store. Where the disk is full the partitions are marked instead, in
   * memory until there is room.
   *
   * @returns whether it is with the store
   */
  flush(): boolean {
    if (this.#owed.length === 0) return true
    const staged = this.#staged
    const owed = this.#owed
    this.#staged = []
    this.#owed = []
    const written = attempt(() => writeIfRoom(this.#store, this.#batch), this.#failed)
    this.#batch.clear()
    // The disk failed: this node is about to stop.
    if (written === undefined) return false
    if (written) {
      this.#log.written(staged)
      this.#scheduleSync()
    } else {
      this.#log.discarded(staged)
      this.#log.markInstead(owed)
    }
    return written
  }

  stop(): void {
    this.#syncDue?.cancel()
    this.#syncDue = undefined
  }

  /** One sync for all that came within a while. */
  #scheduleSync(): void {
    this.#syncDue ??= this.#env.clock.after(limits.hintSyncDelay, () => {
      this.#syncDue = undefined
      this.#store.sync().catch(this.#failed)
    })
  }

  /** For batches of others. What is owed here goes first: it may be owed there too. */
  group(): OwedGroup {
    let staged: Staged[] = []
    const take = (): Staged[] => {
      const taken = staged
      staged = []
      return taken
    }
    return {
      add: (batch, owed) => {
        this.flush()
        this.#log.add(batch, owed, staged)
      },
      written: () => this.#log.written(take()),
      discarded: () => this.#log.discarded(take()),
    }
  }
}
