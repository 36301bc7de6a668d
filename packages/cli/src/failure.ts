/**
 * What went wrong, for a person and for a script. Every error ends here: one of the catalogue, one
 * of the client package, a wrong command line, or a bug.
 */
import {
  type ErrorCode,
  errorCatalogue,
  type FieldError,
  isErrorCode,
  type Outcome,
  type ReplicaReport,
  ShoalError,
} from '@shoal/kernel'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import type { Output } from './terminal.ts'

export interface Failure {
  readonly exit: ExitCode
  /** Of the catalogue; empty for a wrong command line and for a bug. */
  readonly code: string
  readonly message: string
  readonly hint: string
  /** Undefined where no request was made. */
  readonly outcome?: Outcome | undefined
  readonly replicas?: readonly ReplicaReport[]
  readonly errors?: readonly FieldError[]
  readonly idempotencyKey?: string
  /** For bugs, which are reported with it. */
  readonly stack?: string | undefined
}

/** The command line is wrong in a way that only the command itself can see. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly hint: string

  constructor(message: string, hint = '') {
    super(message)
    this.hint = hint
  }
}

/** A write that may or may not have been done, and the key that makes it safe to repeat. */
export class WriteInDoubt extends Error {
  override readonly name = 'WriteInDoubt'
  readonly idempotencyKey: string

  constructor(cause: unknown, idempotencyKey: string) {
    super('the outcome of a write is unknown', { cause })
    this.idempotencyKey = idempotencyKey
  }
}

export function describeFailure(error: unknown): Failure {
  if (error instanceof WriteInDoubt) {
    const { idempotencyKey, cause } = error
    const hint = `Repeat it safely within 10 minutes: --idempotency-key ${idempotencyKey}`
    return { ...describeFailure(cause), hint, idempotencyKey }
  }
  if (error instanceof UsageError) {
    return { exit: exitCodes.usage, code: '', message: error.message, hint: error.hint }
  }
  if (error instanceof ShoalError) {
    const { code, message, status, outcome, details } = error
    return {
      exit: exitCodeOf({ code, status, outcome }),
      code,
      message,
      hint: hintFor({ code, message }),
      ...(status > 0 || code.startsWith('SHOAL_CLIENT_') ? { outcome } : {}),
      ...(details.replicas === undefined ? {} : { replicas: details.replicas }),
      ...(details.errors === undefined ? {} : { errors: details.errors }),
    }
  }
  return isFromClient(error) ? describeClientError(error) : describeBug(error)
}

/** The face of the client's errors that is used here, so that the client need not be loaded. */
interface ClientError {
  readonly code: string
  readonly message: string
  readonly status: number
  readonly outcome: Outcome
  readonly replicas: readonly ReplicaReport[]
  readonly problem?: { readonly hint?: string; readonly errors?: readonly FieldError[] } | undefined
}

const isFromClient = (error: unknown): error is Error & ClientError =>
  error instanceof Error &&
  typeof (error as { code?: unknown }).code === 'string' &&
  (error as unknown as ClientError).code.startsWith('SHOAL_') &&
  typeof (error as { outcome?: unknown }).outcome === 'string'

function describeClientError(error: ClientError): Failure {
  const { code, message, status, outcome, problem, replicas } = error
  return {
    exit: exitCodeOf({ code, status, outcome }),
    code,
    message,
    hint: hintFor(error),
    outcome,
    replicas,
    ...(problem?.errors === undefined ? {} : { errors: problem.errors }),
  }
}

/** For people at a terminal some hints can say more than the catalogue's. */
function hintFor({
  code,
  message,
  problem,
}: Pick<ClientError, 'code' | 'message'> & { problem?: ClientError['problem'] }): string {
  if (code === 'SHOAL_UNAUTHENTICATED') return 'Give a token: --token-file FILE, or SHOAL_TOKEN.'
  if (code === 'SHOAL_CLIENT_UNREACHABLE') {
    return /certificate/i.test(message)
      ? 'Say whose certificates are to be trusted: --ca FILE.'
      : 'Start a cluster here with shoal dev, or say where one is: --url URL.'
  }
  return problem?.hint ?? (isErrorCode(code) ? errorCatalogue[code].hint : '')
}

function describeBug(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error)
  return {
    exit: exitCodes.failed,
    code: '',
    message: `this is a bug in Shoal: ${message}`,
    hint: 'Report it with the lines below.',
    stack: error instanceof Error ? error.stack : undefined,
  }
}

/** Codes whose status does not tell how the command ended. */
const exitOfCode: Partial<Record<ErrorCode, ExitCode>> = {
  SHOAL_KEY_NOT_FOUND: exitCodes.notFound,
  SHOAL_SIBLING_NOT_FOUND: exitCodes.notFound,
  SHOAL_TRACE_NOT_FOUND: exitCodes.notFound,
  SHOAL_BODY_INCOMPLETE: exitCodes.unavailable,
  SHOAL_CLIENT_OPTION_INVALID: exitCodes.usage,
  SHOAL_CLIENT_UNREACHABLE: exitCodes.unavailable,
  SHOAL_CLIENT_CONNECTION_LOST: exitCodes.unavailable,
  SHOAL_CLIENT_TIMEOUT: exitCodes.unavailable,
  SHOAL_CLIENT_OVERLOADED: exitCodes.unavailable,
  // At the start of a node: what a person has to correct, and what may pass.
  SHOAL_CONFIG_INVALID: exitCodes.usage,
  SHOAL_LISTEN_OPEN: exitCodes.usage,
  SHOAL_SECRET_WRONG: exitCodes.usage,
  SHOAL_RING_MISMATCH: exitCodes.usage,
  SHOAL_NODE_ID_TAKEN: exitCodes.usage,
  SHOAL_VERSION_UNSUPPORTED: exitCodes.usage,
  SHOAL_STORE_FOREIGN: exitCodes.usage,
  SHOAL_STORE_NEWER: exitCodes.usage,
  SHOAL_ADDRESS_IN_USE: exitCodes.unavailable,
  SHOAL_STORE_LOCKED: exitCodes.unavailable,
  SHOAL_STORAGE_FULL: exitCodes.unavailable,
  SHOAL_STORE_FAILED: exitCodes.failed,
}

export function exitCodeOf({
  code,
  status,
  outcome,
}: {
  code: string
  status: number
  outcome: Outcome
}): ExitCode {
  const asked = status > 0 || code.startsWith('SHOAL_CLIENT_')
  if (asked && outcome === 'unknown') return exitCodes.unknownOutcome
  const entry = isErrorCode(code) ? errorCatalogue[code] : undefined
  const known = isErrorCode(code) ? exitOfCode[code] : undefined
  // What the client refuses to send has no status of its own, but that of the node's refusal.
  return known ?? exitOfStatus(status > 0 ? status : (entry?.status ?? 0))
}

function exitOfStatus(status: number): ExitCode {
  if (status === 408 || status === 429 || status === 503 || status === 504) {
    return exitCodes.unavailable
  }
  if (status === 409 || status === 412 || status === 428) return exitCodes.failed
  return status >= 400 && status < 500 ? exitCodes.usage : exitCodes.failed
}

/** Prints a failure and returns its exit code. */
export function reportFailure(error: unknown, err: Output, asJson: boolean): ExitCode {
  const failure = describeFailure(error)
  if (asJson) err.line(JSON.stringify({ error: failure }))
  else err.lines(failureLines(failure, err.paint))
  return failure.exit
}

export function failureLines(failure: Failure, paint: Output['paint']): string[] {
  const { exit, code, message, hint, outcome, replicas = [], errors = [], stack } = failure
  return [
    `${paint.red('error:')} ${code === '' ? '' : `${paint.bold(code)} `}${message}`,
    // Where only one thing is wrong the message has said it.
    ...errors.filter((each) => !message.includes(each.message)).map(faultLine),
    ...replicas.map(({ node, role, state, ms }) => `  ${node} (${role}): ${state} after ${ms} ms`),
    ...(outcome === undefined || exit === exitCodes.usage
      ? []
      : [`  outcome: ${outcomes[outcome]}`]),
    ...(hint === '' ? [] : [`  ${paint.dim('hint:')} ${hint}`]),
    ...(stack === undefined ? [] : [paint.dim(stack)]),
  ]
}

function faultLine({ field, offset, message }: FieldError): string {
  const place = offset === undefined ? field : `${field} at ${offset}`
  return `  ${place}: ${message}`
}

const outcomes: Record<Outcome, string> = {
  'not-applied': 'not-applied (nothing was changed)',
  unknown: 'unknown (the write may or may not have been done)',
}
