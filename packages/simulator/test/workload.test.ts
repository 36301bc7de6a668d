import type { ReadAnswer, WriteAnswer } from '@shoal/coordinator'
import { createSeededRandom, invariant, ShoalError } from '@shoal/kernel'
import t from 'tap'
import type { InvokedOperation } from '../src/check/observer.ts'
import type { ClientEnd, ClientRequest, SimCluster } from '../src/cluster/sim-cluster.ts'
import type { OperationPlan } from '../src/plan/plan.ts'
import { bodyOf, idOfBody } from '../src/workload/body.ts'
import { type Ended, Workload } from '../src/workload/workload.ts'

/** A cluster that only notes what it is asked, and answers what the test says. */
function fakeCluster(nodes: number, answer: (request: ClientRequest, node: number) => ClientEnd) {
  const timers: { due: number; work: () => void }[] = []
  const asked: { node: number; request: ClientRequest; at: number }[] = []
  let now = 0
  const after = (delay: number, work: () => void): void => {
    timers.push({ due: now + delay, work })
    timers.sort((one, other) => one.due - other.due)
  }
  const cluster = {
    now: () => now,
    after,
    random: (label: string) => createSeededRandom(label),
    nodes: Array.from({ length: nodes }, (_none, index) => ({ index })),
    call: (node: number, request: ClientRequest, done: (end: ClientEnd) => void) => {
      asked.push({ node, request, at: now })
      after(5, () => done(answer(request, node)))
    },
  } as unknown as SimCluster
  const runAll = (): void => {
    for (let timer = timers.shift(); timer; timer = timers.shift()) {
      now = timer.due
      timer.work()
    }
  }
  return { cluster, asked, runAll }
}

let contexts = 0
const answered = (values: { body: Buffer }[] = []): ClientEnd => ({
  kind: 'answer',
  answer: { context: `c1.${contexts++}`, session: 's1.next', etag: '"e"', values } as unknown as
    | ReadAnswer
    | WriteAnswer,
})

const plain: OperationPlan = {
  id: 'o1',
  at: 0,
  client: 1,
  node: 0,
  kind: 'put',
  bucket: 'things',
  key: 'k',
  bytes: 40,
  context: 'none',
  session: false,
  retries: 0,
  timeout: 1_000,
}

function run(
  operations: readonly OperationPlan[],
  answer: (request: ClientRequest, node: number) => ClientEnd = () => answered(),
) {
  const { cluster, asked, runAll } = fakeCluster(3, answer)
  const ended: Ended[] = []
  const seen: [InvokedOperation, ClientEnd][] = []
  const workload = new Workload({
    cluster,
    seed: 1,
    observer: { ended: (operation, end) => void seen.push([operation, end]) },
    ended: (end) => void ended.push(end),
  })
  workload.schedule(operations)
  runAll()
  invariant(workload.isIdle, 'every operation has ended')
  const writes = asked.map(({ request }) =>
    request.kind === 'write' ? request.request : undefined,
  )
  return { asked, ended, seen, writes }
}

t.test('a value names the operation that wrote it, to its last byte', async (t) => {
  const body = bodyOf('o17.3', 100)
  t.equal(body.length, 100)
  t.equal(idOfBody(body), 'o17.3')
  t.equal(idOfBody(bodyOf('o1', 0)), 'o1', 'also where there is hardly room')
  t.equal(idOfBody(Buffer.from('nothing')), '')
})

t.test('a retry is the same request again, here or at the next node', async (t) => {
  const refuse = (): ClientEnd => ({
    kind: 'refused',
    error: new ShoalError('SHOAL_QUORUM_TIMEOUT', 'too late'),
  })
  const here = run([{ ...plain, retries: 2 }], refuse)
  t.same(
    here.asked.map(({ node }) => node),
    [0, 0, 0],
  )
  t.ok(here.asked.every(({ request }) => request === here.asked[0]?.request))
  t.same(
    here.ended.map(({ outcome }) => outcome),
    ['SHOAL_QUORUM_TIMEOUT'],
  )
  const elsewhere = run([{ ...plain, retries: 3, hops: true, node: 2 }], refuse)
  t.same(
    elsewhere.asked.map(({ node }) => node),
    [2, 0, 1, 2],
  )
})

t.test('what cannot succeed is not tried again', async (t) => {
  const { asked } = run([{ ...plain, retries: 3 }], () => ({
    kind: 'refused',
    error: new ShoalError('SHOAL_CONTEXT_FOREIGN', 'of another key'),
  }))
  t.equal(asked.length, 1)
})

t.test('an answer that is lost on the way is asked for again', async (t) => {
  const { asked, seen, ended } = run([{ ...plain, retries: 1, loseReply: 0 }])
  t.equal(asked.length, 2)
  t.same(
    seen.map(([, end]) => end.kind),
    ['lost', 'answer'],
  )
  t.same(
    seen.map(([{ id, attempt }]) => `${id} ${attempt}`),
    ['o1 0', 'o1 1'],
  )
  t.same(
    ended.map(({ outcome }) => outcome),
    ['ok'],
  )
})

t.test('a client reads before it writes, and names what it has seen', async (t) => {
  contexts = 0
  const { asked, writes } = run([
    { ...plain, context: 'read' },
    { ...plain, id: 'o2', at: 100, context: 'latest' },
    { ...plain, id: 'o3', at: 200, context: 'stale' },
    { ...plain, id: 'o4', at: 300, key: 'other', context: 'foreign' },
    { ...plain, id: 'o5', at: 400, client: 2, context: 'latest' },
  ])
  t.same(
    asked.map(({ request }) => request.kind),
    ['read', 'write', 'write', 'write', 'write', 'write'],
  )
  t.same(
    writes.map((write) => write?.context),
    [undefined, 'c1.0', 'c1.1', 'c1.0', 'c1.3', ''],
  )
})

t.test('a damaged context differs from the one that was given', async (t) => {
  contexts = 100
  const { writes } = run([plain, { ...plain, id: 'o2', at: 100, context: 'corrupt' }])
  t.not(writes[1]?.context, 'c1.100')
  t.equal(writes[1]?.context.length, 'c1.100'.length)
})

t.test('a session waits for its answer and carries it on; others do not wait', async (t) => {
  const session = { ...plain, session: true }
  const { asked, writes } = run([session, { ...session, id: 'o2' }, { ...plain, id: 'o3' }])
  t.same(
    asked.map(({ at }) => at),
    [0, 0, 5],
  )
  t.same(
    writes.map((write) => write?.idempotencyKey),
    ['o1', 'o3', 'o2'],
  )
  t.same(
    writes.map((write) => write?.session),
    ['new', '', 's1.next'],
  )
})

t.test('a write whose read fails is not sent', async (t) => {
  const { asked, ended } = run([{ ...plain, context: 'read' }], () => ({ kind: 'unsent' }))
  t.same(
    asked.map(({ request }) => request.kind),
    ['read'],
  )
  t.same(
    ended.map(({ operation, outcome }) => `${operation.id} ${outcome}`),
    ['o1 unsent'],
  )
})
