/** What every error answer must be, whoever gives it and however the request was wrong. */
import type { Test } from 'tap'
import type { Answer } from './http.ts'

export interface ExpectedProblem {
  readonly status: number
  readonly code: string
  readonly outcome?: 'not-applied' | 'unknown'
  readonly retry?: 'never' | 'after-read' | 'if-idempotent' | 'after'
  /** The field that `errors` must name. */
  readonly field?: string
  /** Where in the field. */
  readonly offset?: number
}

export interface ProblemBody {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly instance?: string
  readonly code: string
  readonly outcome: string
  readonly retry: string
  readonly hint: string
  readonly wanted?: string | number
  readonly got?: string | number
  readonly replicas?: readonly { node: string; role: string; state: string; ms: number }[]
  readonly errors?: readonly { field: string; offset?: number; message: string }[]
  readonly context?: string
  readonly etag?: string
  readonly errorId?: string
}

const retries = ['never', 'after-read', 'if-idempotent', 'after']

/** Checks an error answer from its status to the last member, and gives its body. */
export function checkProblem(
  t: Test,
  answer: Answer,
  expected: ExpectedProblem,
  title: string,
): ProblemBody {
  const { status, code, outcome = 'not-applied', retry, field, offset } = expected
  const body = bodyOf(answer)
  const about = `${title}: ${status} ${code}`
  const faults = [...shapeFaults(answer, body)]
  if (answer.status !== status) faults.push(`status ${answer.status}, not ${status}`)
  if (body.code !== code) faults.push(`code ${body.code}, not ${code}`)
  if (body.outcome !== outcome) faults.push(`outcome ${body.outcome}, not ${outcome}`)
  if (retry !== undefined && body.retry !== retry) faults.push(`retry ${body.retry}, not ${retry}`)
  if (field !== undefined && !body.errors?.some((error) => error.field === field)) {
    faults.push(`errors do not name ${field}`)
  }
  if (offset !== undefined && !body.errors?.some((error) => error.offset === offset)) {
    faults.push(`errors do not name offset ${offset}`)
  }
  t.same(faults, [], about, { answer: answer.text, headers: answer.rawHeaders })
  return body
}

function bodyOf(answer: Answer): ProblemBody {
  try {
    return answer.json() as ProblemBody
  } catch {
    return {} as ProblemBody
  }
}

/** What is wrong with an error answer in itself. */
function* shapeFaults(answer: Answer, body: ProblemBody): Generator<string> {
  if (answer.header('Content-Type') !== 'application/problem+json') {
    yield `Content-Type ${answer.header('Content-Type')}`
  }
  if (answer.header('Cache-Control') !== 'no-store') yield 'Cache-Control is not no-store'
  if (body.type !== `urn:shoal:error:${body.code}`) yield `type ${body.type}`
  if (body.status !== answer.status) yield `status ${body.status} in the body`
  for (const member of ['title', 'detail', 'hint'] as const) {
    if (typeof body[member] !== 'string' || body[member].length < 5) yield `${member} says nothing`
  }
  if (!retries.includes(body.retry)) yield `retry ${body.retry}`
  const retryAfter = answer.header('Retry-After')
  if (body.retry === 'after' && !/^[1-9]\d*$/.test(retryAfter)) yield `Retry-After ${retryAfter}`
  if (body.retry !== 'after' && retryAfter !== '') yield 'Retry-After without a meaning'
  const id = answer.header('Request-Id')
  if (id !== '' && body.instance !== `urn:shoal:request:${id}`) yield `instance ${body.instance}`
  for (const error of body.errors ?? []) {
    if (error.field === '' || error.message === '') yield 'an error without field or message'
    if (error.offset !== undefined && !(error.offset >= 0)) yield `offset ${error.offset}`
  }
  for (const { node, role, state, ms } of body.replicas ?? []) {
    if (node === '' || state === '' || !(ms >= 0)) yield 'a replica without node, state or ms'
    if (role !== 'primary' && role !== 'fallback') yield `role ${role}`
  }
}
