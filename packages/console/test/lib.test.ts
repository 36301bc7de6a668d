/** What the console computes, without a browser. */
import t from 'tap'
import { repairPath } from '../ui/lib/api.ts'
import { consistencyHeader, defaultChoice } from '../ui/lib/consistency.ts'
import { asCurl, asTypeScript, type LabRequest } from '../ui/lib/copy-as.ts'
import { EventReader } from '../ui/lib/event-stream.ts'
import { bytes, duration } from '../ui/lib/format.ts'
import { paceBetween, parseScrape } from '../ui/lib/metrics.ts'
import { describeReceipt, parseReceipt } from '../ui/lib/receipt.ts'
import { allowance, apart, spans } from '../ui/lib/repairs.ts'
import { partitionAt, ringArcs, shares } from '../ui/lib/ring-arcs.ts'
import { axisEnd, lanesOf } from '../ui/lib/timeline.ts'
import { showBytes } from '../ui/lib/values.ts'

t.test('a receipt is read and put into words', async (t) => {
  const receipt = parseReceipt(
    'n=3, need=2, ack=2, primaries=1, fallbacks=1, durable=2, hinted=2, node="n\\"1", ' +
      'precondition=checked',
  )
  t.same(receipt, {
    n: 3,
    need: 2,
    ack: 2,
    primaries: 1,
    fallbacks: 1,
    durable: 2,
    hinted: 2,
    node: 'n"1',
    precondition: 'checked',
  })
  t.match(describeReceipt(receipt), /2 of 3 replicas answered, 2 were needed/)
  t.match(describeReceipt(receipt), /2 will be told later/)
  t.same(parseReceipt('n=3, 7'), { n: 3 }, 'what cannot be read ends it')
})

t.test('the form of the lab becomes a header', async (t) => {
  t.equal(consistencyHeader(defaultChoice), '')
  t.equal(consistencyHeader({ ...defaultChoice, level: 'one' }), 'one')
  t.equal(consistencyHeader({ ...defaultChoice, strict: true }), 'quorum;strict')
  const full = { level: 'quorum', r: 1, w: 3, durable: 0, strict: true } as const
  t.equal(consistencyHeader(full), 'quorum;strict;r=1;w=3;durable=0')
})

t.test('a request can be taken elsewhere', async (t) => {
  const request: LabRequest = {
    operation: 'put',
    bucket: 'b',
    key: "it's/ü",
    body: "a 'quoted' value",
    type: 'text/plain',
    consistency: 'all',
    context: 'c1.x',
    hasToken: false,
  }
  const curl = asCurl('http://h:1', request)
  t.match(curl, "--data-binary 'a '\\''quoted'\\'' value'")
  t.match(curl, "'http://h:1/v1/kv/b/it'\\''s%2F%C3%BC'")
  t.match(asTypeScript('http://h:1', request), `'Causal-Context': "c1.x"`)
  t.notMatch(curl, 'Authorization')
  const secured = { ...request, hasToken: true }
  t.match(asCurl('https://h:1', secured), '-H "Authorization: Bearer $SHOAL_TOKEN"')
  t.match(asTypeScript('https://h:1', secured), "'Bearer ' + process.env.SHOAL_TOKEN")
  t.notMatch(asCurl('http://h:1', { ...request, operation: 'get' }), 'Causal-Context')
})

t.test('two scrapes make a pace', async (t) => {
  const scrape = (gets: number, fast: number, slow: number, at: number) =>
    parseScrape(
      [
        '# HELP shoal_http_requests_total Requests',
        `shoal_http_requests_total{operation="get",status="200"} ${gets}`,
        `shoal_http_requests_total{operation="get",status="404"} 0`,
        `shoal_http_request_duration_seconds_bucket{le="0.001",operation="get"} ${fast}`,
        `shoal_http_request_duration_seconds_bucket{le="0.01",operation="get"} ${fast + slow}`,
        `shoal_http_request_duration_seconds_bucket{le="+Inf",operation="get"} ${fast + slow}`,
      ].join('\n'),
      at,
    )
  const pace = paceBetween(scrape(10, 10, 0, 0), scrape(110, 108, 2, 2_000))
  t.equal(pace.reads, 50)
  t.equal(pace.writes, 0)
  t.ok((pace.p50 ?? 0) > 0.4 && (pace.p50 ?? 0) < 0.6, `p50 ${pace.p50}`)
  t.ok((pace.p99 ?? 0) > 1 && (pace.p99 ?? 0) < 10, `p99 ${pace.p99}`)
  const restarted = paceBetween(scrape(110, 108, 2, 0), scrape(5, 5, 0, 2_000))
  t.equal(restarted.reads, 0)
  t.equal(restarted.p50, undefined)
})

t.test('the ring has an arc for each stretch of one owner', async (t) => {
  const table = [
    ['a', 'b'],
    ['a', 'c'],
    ['b', 'c'],
    ['c', 'a'],
  ]
  const arcs = ringArcs({ table }, 100)
  t.same(
    arcs.map(({ node, place, from, to }) => `${place} ${node} ${from}-${to}`),
    ['0 a 0-1', '0 b 2-2', '0 c 3-3', '1 b 0-0', '1 c 1-2', '1 a 3-3'],
  )
  t.same(shares({ table }).get('a'), { primary: 2, all: 3 })
  t.equal(partitionAt(4, 1, -1), 0, 'to the right of twelve')
  t.equal(partitionAt(4, -1, -1), 3)
  t.equal(partitionAt(4, -1, 1), 2)
})

t.test('a trace has a lane for each replica, the coordinator first', async (t) => {
  const lanes = lanesOf({
    ...{ id: '', node: 'n2', operation: 'put', bucket: '', key: '', started: 0 },
    events: [
      { at: 0.1, node: 'n2', event: 'asked', detail: '' },
      { at: 0.5, node: 'n2', event: 'written', detail: '' },
      { at: 0.6, node: 'n1', event: 'asked', detail: '' },
      { at: 0.7, node: 'n3', event: 'asked', detail: '' },
      { at: 2, node: 'n1', event: 'durable', detail: '' },
      { at: 2.5, node: 'n2', event: 'durable', detail: '' },
    ],
    replicas: [
      { node: 'n1', role: 'primary', state: 'durable', ms: 2 },
      { node: 'n2', role: 'primary', state: 'durable', ms: 2.5 },
      { node: 'n3', role: 'primary', state: 'asked', ms: 0 },
      { node: 'n4', role: 'fallback', state: 'not-asked', ms: 0 },
    ],
  })
  t.same(
    lanes.map(({ node, state, from, to }) => [node, state, from, to]),
    [
      ['n2', 'durable', 0.1, 2.5],
      ['n1', 'durable', 0.6, 2],
      ['n3', 'asked', 0.7, 0.7],
      ['n4', 'not-asked', 0, 0],
    ],
  )
  t.equal(axisEnd(lanes), 3)
})

t.test('a stream of events may come in any pieces', async (t) => {
  const text = ': hello\n\nid: 7\nevent: hint\ndata: {"a":\ndata: 1}\n\ndata: x\r\n\r\n'
  const whole = new EventReader().feed(text)
  t.same(whole, [
    { id: '7', kind: 'hint', data: '{"a":\n1}' },
    { id: '7', kind: 'message', data: 'x' },
  ])
  const reader = new EventReader()
  t.same(
    [...text].flatMap((char) => reader.feed(char)),
    whole,
  )
})

t.test('values are text where they can be', async (t) => {
  const of = (text: string, type = 'text/plain') => showBytes(new TextEncoder().encode(text), type)
  t.same(of('hé\n'), { form: 'text', text: 'hé\n' })
  t.equal(of('{"a":1}', 'application/json').text, '{\n  "a": 1\n}')
  t.equal(of('{"a"', 'application/json').text, '{"a"')
  t.match(showBytes(Uint8Array.of(0, 65, 255), ''), {
    form: 'binary',
    text: /^000000 {2}00 41 ff +\.A\.$/,
  })
})

t.test('numbers are for people', async (t) => {
  t.same([bytes(10), bytes(2_048), bytes(5 * 2 ** 30)], ['10 B', '2.0 KiB', '5.0 GiB'])
  t.same(
    [duration(900), duration(61_000), duration(3 * 86_400_000)],
    ['900 ms', '1 min 1 s', '3 d 0 h'],
  )
})

t.test('how far copies may be apart is one number, or said not to be known', async (t) => {
  const debt = { ageMs: 65_000, divergentSegments: 0, unverified: 0, hintBytes: 0, oldestHintMs: 0 }
  const budget = { bytesPerSecond: 262_144, paused: false, quiet: false, waitingBytes: 0 }
  const node = { node: 'n1', debt, budget, lostPartitions: 0, unhealed: 0, tombstones: 0 }
  const of = (more: object, lostPartitions = 0) =>
    apart({ debt: { ...debt, ...more }, nodes: [{ ...node, lostPartitions }], silent: [] })
  t.equal(of({}), '1 min 5 s')
  t.equal(of({ unverified: 1 }), 'being compared')
  t.equal(of({}, 3), 'being compared', 'what a disk lost is not known before it was compared')
  t.equal(allowance(budget), '256 KiB/s')
  t.equal(allowance({ ...budget, quiet: true }), '256 KiB/s, quiet hours')
  t.equal(allowance({ ...budget, paused: true, quiet: true }), 'paused')
  const waiting = { ...budget, waitingBytes: 1_048_576, etaMs: 4_000 }
  t.equal(allowance(waiting), '256 KiB/s, 1.0 MiB waiting, 4 s left')
})

t.test('partitions are listed by their spans, and what is asked for is asked for', async (t) => {
  t.equal(spans([9, 3, 7, 8]), '3, 7–9')
  t.equal(spans([]), '')
  t.equal(spans([1, 3, 5], 2), '1, 3 …')
  t.equal(repairPath('', ''), '/v1/repairs')
  t.equal(repairPath('a&b', '7'), '/v1/repairs?bucket=a%26b&partition=7')
})
