import type {
  Coordinator,
  ListAnswer,
  ListRequest,
  ReadAnswer,
  ReadRequest,
  WriteAnswer,
  WriteRequest,
} from '@shoal/coordinator'
import { type ErrorCode, ShoalError } from '@shoal/kernel'
import type {
  MergeOperation,
  MergeSink,
  PutOperation,
  PutSink,
  Replica,
  Written,
} from '@shoal/replica'

/** What is told of one process from within. */
export interface ProcessWatcher {
  /** A write was minted, or recognised; nobody else has heard of it yet. */
  written(operation: PutOperation, result: Written): void
  /** A copy was merged. */
  merged(operation: MergeOperation): void
  /** Nothing was done of it. */
  refused(operation: MergeOperation | PutOperation, code: ErrorCode): void
  /** A coordinator takes a request. Gives who hears of its end, at the moment of the answer. */
  read(request: ReadRequest): (result: ReadAnswer | ShoalError) => void
  write(request: WriteRequest): (result: WriteAnswer | ShoalError) => void
  list(request: ListRequest): (result: ListAnswer | ShoalError) => void
}

/**
 * What a watcher throws is told, and goes no further: a check that stumbles over what it sees must
 * not change what it looks at.
 */
export function guarded(
  watcher: ProcessWatcher,
  stumbled: (error: unknown) => void,
): ProcessWatcher {
  const attempt = <T>(look: () => T): T | undefined => {
    try {
      return look()
    } catch (error) {
      stumbled(error)
      return undefined
    }
  }
  const begin = <Request, Result>(
    look: (request: Request) => (result: Result) => void,
  ): ((request: Request) => (result: Result) => void) => {
    return (request) => {
      const end = attempt(() => look(request))
      return (result) => void attempt(() => end?.(result))
    }
  }
  return {
    written: (operation, result) => void attempt(() => watcher.written(operation, result)),
    merged: (operation) => void attempt(() => watcher.merged(operation)),
    refused: (operation, code) => void attempt(() => watcher.refused(operation, code)),
    read: begin(watcher.read),
    write: begin(watcher.write),
    list: begin(watcher.list),
  }
}

/**
 * Listens between a coordinator and its replica, and between both and those who call them. What
 * passes is not changed: results and their order are those of a process nobody watches.
 */
export function watchReplica(replica: Replica, watcher: ProcessWatcher): void {
  const put = replica.put.bind(replica)
  replica.put = (operation) => {
    put({ ...operation, sink: new WatchedPut(operation, watcher) })
  }
  const merge = replica.merge.bind(replica)
  replica.merge = (operation) => {
    merge({ ...operation, sink: new WatchedMerge(operation, watcher) })
  }
}

export function watchCoordinator(coordinator: Coordinator, watcher: ProcessWatcher): void {
  const read = coordinator.read.bind(coordinator)
  coordinator.read = (request, done) => {
    const end = watcher.read(request)
    read(request, (result) => {
      end(result)
      done(result)
    })
  }
  const write = coordinator.write.bind(coordinator)
  coordinator.write = (request, done) => {
    const end = watcher.write(request)
    write(request, (result) => {
      end(result)
      done(result)
    })
  }
  const list = coordinator.list.bind(coordinator)
  coordinator.list = (request) => {
    const end = watcher.list(request)
    const listing = list(request)
    listing.then(end, (error: unknown) => {
      if (error instanceof ShoalError) end(error)
    })
    return listing
  }
}

class WatchedPut implements PutSink {
  readonly #operation: PutOperation
  readonly #watcher: ProcessWatcher

  constructor(operation: PutOperation, watcher: ProcessWatcher) {
    this.#operation = operation
    this.#watcher = watcher
  }

  written(result: Written): void {
    this.#watcher.written(this.#operation, result)
    this.#operation.sink.written(result)
  }

  durable(): void {
    this.#operation.sink.durable()
  }

  refused(...refusal: Parameters<PutSink['refused']>): void {
    this.#watcher.refused(this.#operation, refusal[0])
    this.#operation.sink.refused(...refusal)
  }
}

class WatchedMerge implements MergeSink {
  readonly #operation: MergeOperation
  readonly #watcher: ProcessWatcher

  constructor(operation: MergeOperation, watcher: ProcessWatcher) {
    this.#operation = operation
    this.#watcher = watcher
  }

  merged(version: Buffer): void {
    this.#watcher.merged(this.#operation)
    this.#operation.sink.merged(version)
  }

  durable(): void {
    this.#operation.sink.durable()
  }

  refused(...refusal: Parameters<MergeSink['refused']>): void {
    this.#watcher.refused(this.#operation, refusal[0])
    this.#operation.sink.refused(...refusal)
  }
}
