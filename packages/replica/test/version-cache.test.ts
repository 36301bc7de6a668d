import { makeRowKey } from '@shoal/ring'
import fc from 'fast-check'
import t from 'tap'
import { VersionCache } from '../src/core/version-cache.ts'

t.test('a hit is the last version set, and never that of another key (P7)', async () => {
  const step = fc.record({
    key: fc.integer({ min: 0, max: 400 }),
    version: fc.uint8Array({ minLength: 1, maxLength: 220 }),
    what: fc.constantFrom('set', 'set', 'get', 'get', 'delete'),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const cache = new VersionCache(64 * 1_024)
      const model = new Map<number, Buffer>()
      return steps.every(({ key, version, what }) => {
        const rowKey = makeRowKey('b', `key ${key}`)
        if (what === 'set') {
          cache.set(rowKey, Buffer.from(version))
          model.set(key, Buffer.from(version))
        } else if (what === 'delete') {
          cache.delete(rowKey)
          model.delete(key)
        }
        const hit = cache.get(rowKey)
        return hit === undefined || model.get(key)?.equals(hit) === true
      })
    }),
    { seed: 20_071_014, numRuns: 300 },
  )
})

t.test('a hit stays what it was when the slot is taken by another version', async (t) => {
  const cache = new VersionCache(1_024)
  const rowKey = makeRowKey('b', 'k')
  cache.set(rowKey, Buffer.from('first'))
  const hit = cache.get(rowKey)
  cache.set(rowKey, Buffer.from('other'))
  t.equal(hit?.toString(), 'first')
})

t.test('a version that has grown too large leaves no older one behind', async (t) => {
  const cache = new VersionCache(64 * 1_024)
  const rowKey = makeRowKey('b', 'k')
  cache.set(rowKey, Buffer.from('small'))
  cache.set(rowKey, Buffer.alloc(500))
  t.equal(cache.get(rowKey), undefined)
})

t.test('most keys of a set that fits are still there', async (t) => {
  const cache = new VersionCache(1_024 * 1_024)
  const keys = Array.from({ length: 2_000 }, (_none, index) => makeRowKey('b', `key ${index}`))
  for (const key of keys) cache.set(key, Buffer.from('v'))
  const kept = keys.filter((key) => cache.get(key) !== undefined).length
  t.ok(kept > 1_800, `${kept} of 2,000`)
})

t.test('a cache of no bytes keeps nothing', async (t) => {
  const cache = new VersionCache(0)
  const rowKey = makeRowKey('b', 'k')
  cache.set(rowKey, Buffer.from('v'))
  t.equal(cache.get(rowKey), undefined)
})
