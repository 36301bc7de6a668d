import { stampOfMillis } from '@shoal/causality'
import { seconds } from '@shoal/kernel'
import t from 'tap'
import { Rig } from './check-rig.ts'

t.test('V12: stamps of a node rise, whatever its clock does', async (t) => {
  const rig = new Rig()
  const wall = rig.env.clock.wall()
  rig.write(0, { id: 'a' }).mint({ stamp: stampOfMillis(wall + 500) })
  rig.write(0, { id: 'b' }).mint({ stamp: stampOfMillis(wall + 501) })
  t.same(rig.found, [])
  rig.write(0, { id: 'c' }).mint({ stamp: stampOfMillis(wall + 501) })
  t.same(rig.found, ['V12'])
  t.match(rig.messages[0], /not above the last one/)
})

t.test('V12: a stamp is not before the wall clock, and not a minute ahead of it', async (t) => {
  const rig = new Rig()
  const wall = rig.env.clock.wall()
  rig.write(0, { id: 'a' }).mint({ stamp: stampOfMillis(wall - 10) })
  t.match(rig.messages[0], /before the wall clock/)
  rig.write(1, { id: 'b' }).mint({ stamp: stampOfMillis(wall + 60_000) })
  t.equal(rig.found.length, 1, 'as far as a peer may push it')
  rig.write(1, { id: 'c' }).mint({ stamp: stampOfMillis(wall + 70_000) })
  t.match(rig.messages[1], /ahead of the wall clock/)
})

t.test('V12: what the clock of a node has shown before, it may follow', async (t) => {
  const rig = new Rig()
  const wall = rig.env.clock.wall()
  rig.write(0, { id: 'a' }).mint()
  Object.assign(rig.env.clock, { wall: () => wall - 3_600_000 })
  rig.write(0, { id: 'b' }).mint()
  t.same(rig.found, [])
})

t.test('D2: a value expires when its node took it and the time it was given', async (t) => {
  const rig = new Rig()
  const wall = rig.env.clock.wall()
  const write = rig.write(0, { id: 'a', ttl: 10 })
  rig.env.advance(seconds(1))
  write.mint({ expiry: Math.round(wall) + 10_000 })
  t.same(rig.found, [])
  rig.write(0, { id: 'b', ttl: 10 }).mint({ expiry: Math.round(wall) + 10 })
  t.same(rig.found, ['D2'])
})

t.test('Q1: a level becomes the numbers that the guarantees name', async (t) => {
  const wrong = [{ w: 1 }, { r: 1 }, { durable: 1 }, { strict: true }] as const
  const right = { level: 'quorum', n: 3, r: 2, w: 2, durable: 2, strict: false } as const
  const good = new Rig()
  good.writeWell(0, { id: 'a' })
  t.same(good.found, [])
  for (const change of wrong) {
    const rig = new Rig()
    const write = rig.write(0, { id: 'a' }).mint().deliver(1).deliver(2)
    for (const node of rig.nodes) node.sync()
    write.answer({ consistency: { ...right, ...change } })
    t.ok(rig.found.includes('Q1'), JSON.stringify(change))
  }
})

t.test('O4: of a hundred reads five are hedged, not more', async (t) => {
  const rig = new Rig()
  const { coordinator } = rig.node(0)
  const { desk } = coordinator as unknown as { desk: { speeds: { hedges: number } } }
  desk.speeds.hedges = 5
  for (let read = 0; read < 80; read++) rig.read(0)
  t.not(rig.found.length, 0, 'five of the first few')
  rig.found.length = 0
  rig.read(0)
  t.same(rig.found, [], 'and of eighty: one of slack')
})

t.test('A2: an actor of whose later writes its node was told issues no earlier one', async (t) => {
  const rig = new Rig()
  const first = rig.writeWell(0, { id: 'a' })
  const second = rig.write(0, { id: 'b' }).mint()
  second.deliver(0)
  t.same(rig.found, [], 'its own copy comes back to it')
  rig.write(0, { id: 'c' }).mint({ counter: 2, local: first.version, version: (made) => made })
  t.ok(rig.found.includes('A2'))
})

t.test('V8: a sound copy refuses nothing as damaged', async (t) => {
  const rig = new Rig()
  const write = rig.write(0, { id: 'a' }).mint()
  const refuse = (): void => {
    write.deliver(1)
    rig.node(1).merge?.sink.refused('SHOAL_ROW_DAMAGED')
  }
  refuse()
  t.same(rig.found, ['V8'])
})
