/** TLS: for clients, between nodes, and what comes of connections that have none. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { createSystemEnv, millis, nodeId, ShoalError } from '@shoal/kernel'
import { createPeers, type NetworkPeers, type TransportEvent } from '@shoal/transport'
import t, { type Test } from 'tap'
import { createPeerListener } from '../src/peer-listener.ts'
import { loadIdentity, type TlsIdentity } from '../src/security/certificate.ts'
import { openFace } from './http/doubles.ts'
import { call, problemOf, RawConnection } from './http/talk.ts'
import { authority, callTls, identityOf, stranger } from './security-support.ts'

const path = '/v1/kv/carts/42'

t.test('clients are served over TLS, with or without a certificate of their own', async (t) => {
  const face = await openFace({ tls: await identityOf('n1') })
  t.teardown(() => face.app.close())
  t.match(face.url, /^https:\/\/127\.0\.0\.1:\d+$/)
  t.equal((await callTls(face, 'PUT', path, { body: 'milk' })).status, 204)
  t.equal((await callTls(face, 'GET', path)).body.toString(), 'milk')
  const large = Buffer.alloc(1_000_000, 'abcdefg')
  t.equal((await callTls(face, 'PUT', path, { body: large })).status, 204)
  t.ok((await callTls(face, 'GET', path)).body.equals(large))
  await t.rejects(callTls({ ...face, ca: stranger.cert }, 'GET', path), 'another authority')
})

t.test('in an overload what comes over TLS is refused before it is parsed too', async (t) => {
  const face = await openFace({ tls: await identityOf('n1') })
  t.teardown(() => face.app.close())
  face.admission.refusal = new ShoalError('SHOAL_OVERLOADED', 'too much', { retryAfterMs: 1_000 })
  const socket = connectTls({ port: face.port, host: '127.0.0.1', ca: authority.cert })
  await once(socket, 'secureConnect')
  const timings: (string | undefined)[] = []
  for (let request = 0; request < 3; request++) {
    socket.write(`GET ${path} HTTP/1.1\r\nHost: node\r\n\r\n`)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    t.match(answer.toString(), /^HTTP\/1.1 503 [\s\S]*SHOAL_OVERLOADED/)
    timings.push(/server-timing: (.*)\r/i.exec(answer.toString())?.[1])
  }
  t.same(timings.slice(1), ['total;dur=0', 'total;dur=0'])
  socket.destroy()
})

t.test('old TLS is refused', async (t) => {
  const face = await openFace({ tls: await identityOf('n1') })
  t.teardown(() => face.app.close())
  const { port } = face
  const old = { port, host: '127.0.0.1', ca: authority.cert, maxVersion: 'TLSv1.1' as const }
  const socket = connectTls({ ...old, minVersion: 'TLSv1', ciphers: 'ALL@SECLEVEL=0' })
  await t.rejects(once(socket, 'secureConnect'))
})

t.test('plain HTTP on a port with TLS is told so', async (t) => {
  const face = await openFace({ tls: await identityOf('n1') })
  t.teardown(() => face.app.close())
  const answer = await call(face, 'GET', path)
  t.equal(answer.status, 400)
  t.match(problemOf(answer), { code: 'SHOAL_REQUEST_INVALID', detail: /https/ })
})

t.test('a handshake that does not come to an end is cut off', async (t) => {
  const face = await openFace({
    tls: await identityOf('n1'),
    limits: { headersTimeoutMs: 200 },
  })
  t.teardown(() => face.app.close())
  const silent = new RawConnection(face.port)
  const halting = new RawConnection(face.port)
  halting.send('\x16\x03\x01')
  t.same([await silent.rest(), await halting.rest()], ['', ''])
  const rubbish = new RawConnection(face.port)
  rubbish.send(Buffer.alloc(2_000, 0xff))
  await rubbish.rest()
  t.equal((await callTls(face, 'GET', '/livez')).status, 200)
})

t.test('a node that stops does not wait for handshakes', async (t) => {
  const face = await openFace({ tls: await identityOf('n1') })
  const silent = new RawConnection(face.port)
  await once(face.app.server, 'connection')
  await face.app.close()
  await silent.rest()
  t.pass()
})

t.test('a new certificate is used from the next connection on', async (t) => {
  const face = await openFace({ tls: await identityOf('n1') })
  t.teardown(() => face.app.close())
  const before = await callTls(face, 'GET', '/livez')
  face.app.renewCertificate(await identityOf('n1'))
  const after = await callTls(face, 'GET', '/livez')
  t.equal(after.status, 200)
  t.not(after.certificate, before.certificate)
})

t.test('what is wrong with a certificate is told without quoting it', async (t) => {
  const [one, other] = [await identityOf('n1'), await identityOf('n1')]
  const files = { certFile: '/cert.pem', keyFile: '/key.pem', caFile: '/ca.pem' }
  const cells: [TlsIdentity, RegExp][] = [
    [{ ...one, cert: 'none' }, /^\/cert\.pem: it is no certificate/],
    [{ ...one, key: other.key }, /^\/key\.pem: it is no key in PEM, or not that of \/cert\.pem/],
    [{ ...one, key: 'none' }, /^\/key\.pem: /],
    [{ ...one, ca: 'none' }, /^\/ca\.pem: /],
  ]
  for (const [identity, message] of cells) {
    t.throws(() => loadIdentity(identity, files), { code: 'SHOAL_CONFIG_INVALID', message })
  }
  t.ok(loadIdentity(one, files).expires > Date.now())
})

interface Side {
  readonly peers: NetworkPeers
  readonly events: TransportEvent[]
  readonly port: number
}

/** The listeners of two nodes, and then the nodes. */
async function openPair(
  t: Test,
  identities: { readonly [id in 'n1' | 'n2']: TlsIdentity | undefined },
): Promise<Record<'n1' | 'n2', Side>> {
  const ids = ['n1', 'n2'] as const
  const opened = await Promise.all(
    ids.map(async (id) => {
      const box: { peers?: NetworkPeers } = {}
      const listener = createPeerListener(identities[id], (...upgrade) =>
        box.peers?.acceptUpgrade(...upgrade),
      )
      listener.listen(0, '127.0.0.1')
      await once(listener, 'listening')
      t.teardown(() => {
        listener.close()
        listener.closeAllConnections()
      })
      const { port } = listener.address() as AddressInfo
      return { id, box, port }
    }),
  )
  const members = opened.map(({ id, port }) => {
    const scheme = identities[id] ? 'https' : 'http'
    return { id: nodeId(id), url: `${scheme}://127.0.0.1:${port}` }
  })
  const sides = opened.map(({ id, box, port }) => {
    const events: TransportEvent[] = []
    box.peers = start(id, { members, identity: identities[id], events })
    t.teardown(() => box.peers?.stop(millis(0)))
    return [id, { peers: box.peers, events, port }] as const
  })
  return Object.fromEntries(sides) as Record<'n1' | 'n2', Side>
}

function start(
  id: string,
  parts: {
    members: { id: ReturnType<typeof nodeId>; url: string }[]
    identity: TlsIdentity | undefined
    events: TransportEvent[]
  },
): NetworkPeers {
  const { members, identity, events } = parts
  const files = { certFile: 'cert', keyFile: 'key', caFile: 'ca' }
  const loaded = identity && loadIdentity(identity, files)
  const peers = createPeers({
    env: createSystemEnv((reason) => {
      throw reason
    }),
    self: nodeId(id),
    runId: randomBytes(16),
    secret: 'the secret of the cluster',
    clusterId: 'c',
    members,
    tls: () => loaded && { context: loaded.context, demandsCertificate: identity.ca !== undefined },
    ring: { epoch: () => 1, summary: Buffer.from('ring'), compare: () => [] },
    onFatal: (error) => {
      throw error
    },
    onEvent: (event) => void events.push(event),
  })
  peers.onQuestion((question) => question.answer(question.kind, question.body))
  peers.start().catch(() => {})
  return peers
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function until(fits: () => boolean): Promise<void> {
  while (!fits()) await turn()
}

t.test('nodes with certificates of one authority find each other', async (t) => {
  const sides = await openPair(t, { n1: await identityOf('n1'), n2: await identityOf('n2') })
  await until(() => sides.n1.peers.isUp(nodeId('n2')) && sides.n2.peers.isUp(nodeId('n1')))
  const body = Buffer.alloc(3_000_000, 'abcdefg')
  const answer = await new Promise<Buffer>((resolve, reject) =>
    sides.n1.peers.ask(
      { to: nodeId('n2'), kind: 9, body, timeout: millis(5_000), tag: 0 },
      { answered: (_tag, _kind, found) => resolve(Buffer.from(found)), failed: reject },
    ),
  )
  t.ok(answer.equals(body), 'what travels is whole')
})

t.test('the secret alone does not let a node in where certificates are asked for', async (t) => {
  const cells: [string, TlsIdentity, RegExp][] = [
    ['of another authority', await identityOf('n2', { by: stranger }), /no certificate/],
    ['of another node', await identityOf('n3'), /the certificate is that of n3, not of n2/],
  ]
  for (const [name, identity, reason] of cells) {
    const sides = await openPair(t, { n1: await identityOf('n1'), n2: identity })
    await until(() => sides.n1.events.some(({ kind }) => kind === 'refused'))
    const refusals = sides.n1.events.filter(({ kind }) => kind === 'refused')
    t.match(refusals[0], { by: 'us', reason }, name)
    t.notOk(sides.n1.peers.isUp(nodeId('n2')))
    t.notOk(sides.n2.peers.isUp(nodeId('n1')))
  }
})

t.test('an upgrade without a certificate, or without TLS, comes to nothing', async (t) => {
  const { n1 } = await openPair(t, { n1: await identityOf('n1'), n2: await identityOf('n2') })
  const headers = { connection: 'Upgrade', upgrade: 'shoal-peer/1' }
  const refused = await callTls(n1, 'GET', '/', { headers })
  t.equal(refused.status, 403)
  t.match(refused.body.toString(), /certificate/)
  const plain = new RawConnection(n1.port)
  plain.send('GET / HTTP/1.1\r\nHost: n1\r\nConnection: Upgrade\r\nUpgrade: shoal-peer/1\r\n\r\n')
  t.notMatch(await plain.rest(), /101 Switching/)
  const more = await callTls(n1, 'GET', '/v1/kv/carts/42')
  t.equal(more.status, 426, 'and nothing else is served there')
})
