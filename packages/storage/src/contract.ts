import { ShoalError } from '@shoal/kernel'
import type { Test } from 'tap'
import { type Column, columns, type ScanOptions, type ScanPage, type Store } from './store.ts'

/**
 * What every store must do, whatever it is made of. RocksDB and memory both run it unchanged.
 */
export interface StorePlace {
  /** Opens the store of this place; what was closed or crashed before is found again. */
  open(): Promise<Store>
  /**
   * Runs `crashWorkload` on the store of this place and ends it the hard way, without `close`, at a
   * moment of its own choosing. Resolves with the number of batches that were acknowledged as
   * synced.
   */
  crash(workload: CrashWorkload): Promise<number>
  remove(): Promise<void>
}

export interface CrashWorkload {
  readonly batches: number
  /** A sync is awaited after every so many batches. */
  readonly syncEvery: number
}

const key = (text: string): Buffer => Buffer.from(text)

/** Writes numbered batches over several columns. `acknowledged` is told how many are durable. */
export async function crashWorkload(
  store: Store,
  { batches, syncEvery }: CrashWorkload,
  acknowledged: (batches: number) => void,
): Promise<void> {
  const batch = store.batch()
  for (let number = 1; number <= batches; number++) {
    const value = Buffer.alloc(200, number & 0xff)
    for (const column of columns) batch.put(column, numbered(number), value)
    batch.put('meta', key('latest'), numbered(number))
    store.write(batch)
    batch.clear()
    if (number % syncEvery !== 0) continue
    await store.sync()
    acknowledged(number)
  }
}

const numbered = (number: number): Buffer => key(String(number).padStart(8, '0'))

/**
 * @param t       the test to add the suite to
 * @param create  a new, empty place
 */
export function storeContract(t: Test, create: () => Promise<StorePlace>): void {
  const withStore = (
    name: string,
    run: (t: Test, store: Store, place: StorePlace) => Promise<void>,
  ) => {
    t.test(name, async (t) => {
      const place = await create()
      t.teardown(() => place.remove())
      const store = await place.open()
      t.teardown(() => store.close().catch(() => undefined))
      await run(t, store, place)
    })
  }
  readsAndWrites(withStore)
  batches(withStore)
  scans(withStore)
  durability(withStore)
  endings(withStore)
}

type WithStore = (
  name: string,
  run: (t: Test, store: Store, place: StorePlace) => Promise<void>,
) => void

type Entries = readonly (readonly [Uint8Array | string, Uint8Array | string])[]

function put(store: Store, column: Column, entries: Entries): void {
  const batch = store.batch()
  for (const [name, value] of entries) batch.put(column, Buffer.from(name), Buffer.from(value))
  store.write(batch)
}

async function get(store: Store, column: Column, name: string): Promise<string | undefined> {
  const [value] = await store.getMany(column, [key(name)])
  return value?.toString()
}

function readsAndWrites(withStore: WithStore): void {
  withStore('a key never written reads as undefined, not as an error', async (t, store) => {
    for (const column of columns) {
      t.same(await store.getMany(column, [key('nobody'), key('')]), [undefined, undefined])
    }
    t.same(await store.getMany('rows', []), [])
  })

  withStore(
    'values come back in the order of the keys, each key as often as asked',
    async (t, store) => {
      put(store, 'rows', [
        ['b', '2'],
        ['a', '1'],
      ])
      const values = await store.getMany('rows', ['b', 'x', 'a', 'b'].map(key))
      t.same(
        values.map((value) => value?.toString()),
        ['2', undefined, '1', '2'],
      )
    },
  )

  withStore('written data is read before it is synced', async (t, store) => {
    put(store, 'versions', [['k', 'v']])
    t.equal(await get(store, 'versions', 'k'), 'v')
    t.ok(store.pressure().unsyncedBytes > 0)
    await store.sync()
    t.equal(store.pressure().unsyncedBytes, 0)
  })

  withStore('an empty value is a value; overwriting and deleting replace it', async (t, store) => {
    put(store, 'hints', [['k', '']])
    t.equal(await get(store, 'hints', 'k'), '')
    put(store, 'hints', [['k', 'full']])
    t.equal(await get(store, 'hints', 'k'), 'full')
    const batch = store.batch()
    batch.delete('hints', key('k'))
    batch.delete('hints', key('never there'))
    store.write(batch)
    t.equal(await get(store, 'hints', 'k'), undefined)
  })

  withStore('columns are apart: one key, five values', async (t, store) => {
    for (const column of columns) put(store, column, [['k', column]])
    for (const column of columns) t.equal(await get(store, column, 'k'), column)
  })

  withStore('keys and values may hold any bytes', async (t, store) => {
    const names = ['00', '0000', '00ff', 'ff', 'ffff', 'c3a4', '0d0a', '']
    put(
      store,
      'rows',
      names.map((hex) => [Buffer.from(hex, 'hex'), `value of ${hex}`]),
    )
    const values = await store.getMany(
      'rows',
      names.map((hex) => Buffer.from(hex, 'hex')),
    )
    t.same(
      values.map(String),
      names.map((hex) => `value of ${hex}`),
    )
  })

  withStore('a value of 16 MiB comes back whole', async (t, store) => {
    const value = Buffer.alloc(16 * 1_048_576, 'shoal')
    put(store, 'rows', [['large', value]])
    await store.sync()
    const [read] = await store.getMany('rows', [key('large')])
    t.ok(read?.equals(value))
    t.ok((await store.diskBytes()) >= value.length)
  })

  withStore('what was read belongs to the reader', async (t, store) => {
    put(store, 'rows', [['k', 'value']])
    const [read] = await store.getMany('rows', [key('k')])
    read?.fill(0)
    const page = await store.scan({ column: 'rows', limit: 1 })
    page.rows[0]?.value.fill(0)
    t.equal(await get(store, 'rows', 'k'), 'value')
  })
}

function batches(withStore: WithStore): void {
  withStore('a batch does nothing until it is written, and then everything', async (t, store) => {
    const batch = store.batch()
    t.equal(batch.operations, 0)
    batch.put('rows', key('a'), key('1'))
    batch.put('versions', key('a'), key('2'))
    batch.delete('rows', key('b'))
    t.equal(batch.operations, 3)
    t.equal(await get(store, 'rows', 'a'), undefined)
    store.write(batch)
    t.equal(await get(store, 'rows', 'a'), '1')
    t.equal(await get(store, 'versions', 'a'), '2')
  })

  withStore('within a batch the last operation on a key counts', async (t, store) => {
    const batch = store.batch()
    batch.put('rows', key('a'), key('1'))
    batch.put('rows', key('a'), key('2'))
    batch.put('rows', key('b'), key('1'))
    batch.delete('rows', key('b'))
    batch.delete('rows', key('c'))
    batch.put('rows', key('c'), key('3'))
    store.write(batch)
    t.equal(await get(store, 'rows', 'a'), '2')
    t.equal(await get(store, 'rows', 'b'), undefined)
    t.equal(await get(store, 'rows', 'c'), '3')
  })

  withStore('a batch copies what it is given and can be used again', async (t, store) => {
    const batch = store.batch()
    const name = key('key 1')
    const value = Buffer.alloc(2_000_000, 1)
    batch.put('rows', name, value)
    name.fill(0)
    value.fill(0)
    store.write(batch)
    batch.clear()
    t.equal(batch.operations, 0)
    batch.put('rows', key('key 2'), key('two'))
    store.write(batch)
    const [first] = await store.getMany('rows', [key('key 1')])
    t.equal(first?.[1_999_999], 1)
    t.equal(await get(store, 'rows', 'key 2'), 'two')
  })

  withStore('an empty batch is no write', async (t, store) => {
    store.write(store.batch())
    t.equal(store.pressure().unsyncedBytes, 0)
  })
}

function scans(withStore: WithStore): void {
  const texts = ({ rows }: ScanPage): string[] => rows.map((row) => row.key.toString())

  withStore('a scan goes in the order of bytes, not of characters', async (t, store) => {
    const names = ['ff00', '00', '0a', '7f', '80', '8000', 'ff', '0aff', '61', '41']
    put(
      store,
      'rows',
      names.map((hex) => [Buffer.from(hex, 'hex'), hex]),
    )
    const { rows, finished } = await store.scan({ column: 'rows', limit: 100 })
    t.same(
      rows.map((row) => row.key.toString('hex')),
      [...names].sort(),
    )
    t.same(
      rows.map((row) => row.value.toString()),
      [...names].sort(),
    )
    t.equal(finished, true)
  })

  withStore('a scan begins with `from`, ends before `to` and sees one column', async (t, store) => {
    put(
      store,
      'versions',
      ['a', 'b', 'b1', 'c', 'd'].map((name) => [name, name]),
    )
    put(store, 'rows', [['bb', 'elsewhere']])
    const between = (from?: string, to?: string): Promise<ScanPage> =>
      store.scan({
        column: 'versions',
        ...(from === undefined ? {} : { from: key(from) }),
        ...(to === undefined ? {} : { to: key(to) }),
        limit: 10,
      })
    t.same(texts(await between('b', 'd')), ['b', 'b1', 'c'])
    t.same(texts(await between('b0')), ['b1', 'c', 'd'])
    t.same(texts(await between(undefined, 'b')), ['a'])
    t.same(texts(await between('', 'b')), ['a'])
    t.same(texts(await between('c', 'b')), [])
    t.same(texts(await between('b', 'b')), [])
    t.same(texts(await between('x')), [])
    t.equal((await between('x')).finished, true)
  })

  withStore('pages put together are the whole, and `finished` is exact', async (t, store) => {
    const names = Array.from({ length: 700 }, (_none, index) => String(index).padStart(4, '0'))
    put(
      store,
      'rows',
      names.map((name) => [name, `value ${name}`]),
    )
    for (const limit of [1, 7, 350, 699, 700, 701]) {
      const { found, pages } = await collect(store, { column: 'rows', limit })
      t.same(found, names, `limit ${limit}`)
      t.equal(pages, Math.ceil(names.length / limit), 'no empty page at the end')
    }
  })

  withStore('a page ends with the row that passes `bytesMax`', async (t, store) => {
    put(
      store,
      'rows',
      ['a', 'b', 'c', 'd'].map((name) => [name, Buffer.alloc(99)]),
    )
    const page = await store.scan({ column: 'rows', limit: 10, bytesMax: 199 })
    t.same(texts(page), ['a', 'b'])
    t.equal(page.finished, false)
    const last = await store.scan({ column: 'rows', from: key('c'), limit: 10, bytesMax: 199 })
    t.same(texts(last), ['c', 'd'])
    t.equal(last.finished, true)
    const { found } = await collect(store, { column: 'rows', limit: 10, bytesMax: 1 })
    t.same(found, ['a', 'b', 'c', 'd'], 'one row a page at least')
  })

  withStore('without values a scan is about keys alone', async (t, store) => {
    put(store, 'rows', [
      ['a', Buffer.alloc(5_000)],
      ['b', Buffer.alloc(5_000)],
    ])
    const page = await store.scan({ column: 'rows', limit: 10, bytesMax: 1_000, values: false })
    t.same(texts(page), ['a', 'b'])
    t.same(
      page.rows.map(({ value }) => value.length),
      [0, 0],
    )
    t.equal(page.finished, true)
  })

  withStore('a scan sees deletes and overwrites that are not yet synced', async (t, store) => {
    put(store, 'rows', [
      ['a', '1'],
      ['b', '1'],
      ['c', '1'],
    ])
    await store.sync()
    const batch = store.batch()
    batch.delete('rows', key('a'))
    batch.put('rows', key('b'), key('2'))
    store.write(batch)
    const { rows } = await store.scan({ column: 'rows', limit: 10 })
    t.same(
      rows.map((row) => `${row.key}=${row.value}`),
      ['b=2', 'c=1'],
    )
  })
}

async function collect(
  store: Store,
  options: ScanOptions,
): Promise<{ found: string[]; pages: number }> {
  const found: string[] = []
  let from: Buffer | undefined
  for (let pages = 1; ; pages++) {
    const page = await store.scan({ ...options, ...(from ? { from } : {}) })
    for (const row of page.rows) found.push(row.key.toString())
    if (page.finished) return { found, pages }
    from = Buffer.concat([page.rows.at(-1)?.key as Buffer, Buffer.of(0)])
  }
}

function durability(withStore: WithStore): void {
  withStore('many syncs at once, with writes between, all resolve', async (t, store) => {
    const syncs: Promise<void>[] = []
    for (let number = 0; number < 200; number++) {
      put(store, 'rows', [[numbered(number), 'v']])
      syncs.push(store.sync())
      if (number % 3 === 0) syncs.push(store.sync())
      if (number % 20 === 0) await syncs.at(-1)
    }
    await Promise.all(syncs)
    t.equal(store.pressure().unsyncedBytes, 0)
    await store.sync()
  })

  withStore('what was closed is found again, synced or not', async (t, store, place) => {
    put(store, 'rows', [['synced', '1']])
    await store.sync()
    put(store, 'versions', [['not synced', '2']])
    await store.close()
    const again = await place.open()
    t.teardown(() => again.close())
    t.equal(await get(again, 'rows', 'synced'), '1')
    t.equal(await get(again, 'versions', 'not synced'), '2')
    put(again, 'rows', [['synced', '3']])
    t.equal(await get(again, 'rows', 'synced'), '3')
  })

  withStore('two stores never have one place open', async (t, _store, place) => {
    await t.rejects(place.open(), { code: 'SHOAL_STORE_LOCKED' })
  })

  for (const syncEvery of [1, 7]) {
    const name = `a crash keeps what was acknowledged, synced after every ${syncEvery} batches`
    withStore(name, async (t, store, place) => {
      await store.close()
      const acknowledged = await place.crash({ batches: 200, syncEvery })
      const again = await place.open()
      t.teardown(() => again.close())
      t.ok(acknowledged > 0, `${acknowledged} batches were acknowledged`)
      t.ok((await survivors(t, again)) >= acknowledged)
    })
  }
}

/** The number of the last batch there is. Fails the test when any batch is there in part. */
async function survivors(t: Test, store: Store): Promise<number> {
  const latest = Number((await get(store, 'meta', 'latest')) ?? 0)
  for (let number = 1; number <= latest + 1; number++) {
    const found = await Promise.all(
      columns.map(async (column) => (await store.getMany(column, [numbered(number)]))[0]),
    )
    const there = found.filter((value) => value !== undefined).length
    if (there !== (number <= latest ? columns.length : 0)) {
      t.fail(`batch ${number} of ${latest} is there in ${there} of ${columns.length} columns`)
    }
  }
  return latest
}

function endings(withStore: WithStore): void {
  withStore('after close every call is refused with an error that says so', async (t, store) => {
    const batch = store.batch()
    batch.put('rows', key('k'), key('v'))
    await store.close()
    const closed = { code: 'SHOAL_STORE_CLOSED' }
    await t.rejects(store.getMany('rows', [key('k')]), closed)
    await t.rejects(store.scan({ column: 'rows', limit: 1 }), closed)
    await t.rejects(store.sync(), closed)
    await t.rejects(store.diskBytes(), closed)
    t.throws(() => store.write(batch), closed)
    t.throws(() => store.batch(), closed)
    await store.close()
    t.equal(store.failed, undefined)
  })

  withStore('what is under way when the store closes still ends', async (t, store) => {
    put(store, 'rows', [['k', 'v']])
    const read = store.getMany('rows', [key('k')])
    const page = store.scan({ column: 'rows', limit: 1 })
    const sync = store.sync()
    await store.close()
    t.equal(String((await read)[0]), 'v')
    t.equal((await page).rows.length, 1)
    await sync
    t.equal(store.failed, undefined)
  })

  withStore('errors are of our kind', async (t, store) => {
    await store.close()
    const error: unknown = await store.sync().catch((reason: unknown) => reason)
    t.ok(error instanceof ShoalError)
  })
}
