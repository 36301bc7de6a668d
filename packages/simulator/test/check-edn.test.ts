import { millis, ShoalError } from '@shoal/kernel'
import t from 'tap'
import { HistoryRecorder } from '../src/check/edn.ts'
import type { InvokedOperation } from '../src/check/observer.ts'
import type { ClientEnd, ClientRequest } from '../src/cluster/sim-cluster.ts'

const key = { bucket: 'b', key: 'k', session: '', timeout: millis(1), explain: false }
const write = {
  ...key,
  operation: 'put',
  context: '',
  idempotencyKey: '',
  body: Buffer.alloc(0),
  contentType: '',
  contentEncoding: '',
  ttl: 0,
} as const

function operation(id: string, request: ClientRequest, client = 1): InvokedOperation {
  return { id, attempt: 0, client, node: 0, request, at: 0 }
}

const answer = (values: readonly string[]): ClientEnd =>
  ({
    kind: 'answer',
    answer: { values: values.map((id) => ({ body: Buffer.from(`${id}\n`) })) },
  }) as unknown as ClientEnd

t.test('a history is one map on a line, as Jepsen writes it', async (t) => {
  let now = 1
  const recorder = new HistoryRecorder(() => now)
  const put = operation('o1', { kind: 'write', request: write })
  recorder.invoked(put)
  now = 1.5
  recorder.ended(put, answer([]))
  const get = operation('o2', { kind: 'read', request: key })
  recorder.invoked(get)
  recorder.ended(get, answer(['o1', 'o0']))
  t.same(recorder.edn().split('\n'), [
    '{:type :invoke, :f :write, :value ["b/k" "o1"], :process 0, :time 1000000, :index 0}',
    '{:type :ok, :f :write, :value ["b/k" "o1"], :process 0, :time 1500000, :index 1}',
    '{:type :invoke, :f :read, :value ["b/k" nil], :process 0, :time 1500000, :index 2}',
    '{:type :ok, :f :read, :value ["b/k" ["o1" "o0"]], :process 0, :time 1500000, :index 3}',
    '',
  ])
})

t.test(
  'what is known not to have happened fails; what nobody knows ends its process',
  async (t) => {
    const recorder = new HistoryRecorder(() => 0)
    const ends: ClientEnd[] = [
      { kind: 'unsent' },
      { kind: 'refused', error: new ShoalError('SHOAL_OVERLOADED', 'full') },
      { kind: 'refused', error: new ShoalError('SHOAL_QUORUM_TIMEOUT', 'late') },
      { kind: 'lost' },
      answer([]),
    ]
    for (const [index, end] of ends.entries()) {
      const request = { ...write, operation: index === 4 ? 'delete' : 'put' } as const
      const each = operation(`o${index}`, { kind: 'write', request })
      recorder.invoked(each)
      recorder.ended(each, end)
    }
    const lines = recorder.edn().split('\n').slice(0, -1)
    t.same(
      lines.map((line) => /:type (:\w+), :f (:\w+).*:process (\d)/.exec(line)?.slice(1).join(' ')),
      [
        ':invoke :write 0',
        ':fail :write 0',
        ':invoke :write 0',
        ':fail :write 0',
        ':invoke :write 0',
        ':info :write 0',
        ':invoke :write 1',
        ':info :write 1',
        ':invoke :delete 2',
        ':ok :delete 2',
      ],
    )
  },
)

t.test('a client that does two things at a time is two processes', async (t) => {
  const recorder = new HistoryRecorder(() => 0)
  const one = operation('o1', { kind: 'read', request: key })
  const two = operation('o2', { kind: 'read', request: key })
  const list = { bucket: 'b', prefix: '', after: '', limit: 1, timeout: millis(1) }
  recorder.invoked(one)
  recorder.invoked(two)
  recorder.ended(two, { kind: 'lost' })
  recorder.ended(one, answer([]))
  recorder.invoked(operation('o3', { kind: 'list', request: list }))
  const text = recorder.edn()
  t.match(text, /:type :fail, :f :read, :value \["b\/k" nil\], :process 1/)
  t.equal(text.split('\n').length, 5, 'listings are left out')
  t.notOk(recorder.isCut)
})
