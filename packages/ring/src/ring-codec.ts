/**
 * A ring record as bytes, on disk and between nodes. All numbers are big-endian.
 *
 *   4      magic "SRNG"
 *   2      format version, 1
 *   8      cluster id
 *   6      epoch
 *   8      digest of the parent
 *   2      partitions
 *   1      replicas
 *   2      number of members, then for each, sorted by id:
 *   1 + n    id
 *   2 + n    url
 *   1 + n    zone
 *   1 + n    host
 *   4        weight in thousandths
 *   2 × partitions × copies: the table, indices of members, primary first
 *   8      xxHash64 of all bytes before it: the checksum, and the record's digest
 *
 * One record has one encoding: members stand sorted, URLs as origins. So equal digests mean equal
 * rings.
 */
import { epoch, limits, nodeId, ShoalError } from '@shoal/kernel'
import { hash64, hex64 } from './hash.ts'
import { faultsOfMembers, type Member, normaliseMembers } from './member.ts'
import { faultsOfSizes, NO_PARENT, type RingRecord } from './ring-record.ts'
import { weightInThousandths } from './table/canonical.ts'

const MAGIC = 'SRNG'
const FORMAT = 1
const DIGEST_BYTES = 8
const HEAD_BYTES = 33

/** Everything but the digest. */
export type RingContent = Omit<RingRecord, 'digest'>

/** The digest of a record with this content. */
export function digestOf(content: RingContent): string {
  return hex64(hash64(encodeContent(content)))
}

export function encodeRing(record: RingRecord): Buffer {
  return Buffer.concat([encodeContent(record), Buffer.from(record.digest, 'hex')])
}

/**
 * Reads a record and checks all of it: form, checksum, and that it describes a ring.
 *
 * @throws SHOAL_RING_DAMAGED saying what is wrong; also for a newer format
 */
export function decodeRing(bytes: Uint8Array): RingRecord {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (buffer.length > limits.ringRecordBytesMax) damaged('it is too long')
  if (buffer.length < HEAD_BYTES + DIGEST_BYTES) damaged('it is too short')
  if (buffer.toString('latin1', 0, 4) !== MAGIC) damaged('it does not begin with SRNG')
  const format = buffer.readUInt16BE(4)
  if (format !== FORMAT) damaged(`it has format ${format}, this version reads format ${FORMAT}`)
  const content = buffer.subarray(0, -DIGEST_BYTES)
  const digest = buffer.toString('hex', content.length)
  if (hex64(hash64(content)) !== digest) damaged('its checksum does not match')
  const record = { ...readContent(new Reader(content)), digest }
  checkContent(record)
  return record
}

function encodeContent(content: RingContent): Buffer {
  const head = Buffer.alloc(HEAD_BYTES)
  head.write(MAGIC, 0, 'latin1')
  head.writeUInt16BE(FORMAT, 4)
  head.write(content.clusterId, 6, 'hex')
  head.writeUIntBE(content.epoch, 14, 6)
  head.write(content.parent, 20, 'hex')
  head.writeUInt16BE(content.partitions, 28)
  head.writeUInt8(content.replicas, 30)
  head.writeUInt16BE(content.members.length, 31)
  const indices = content.table.flat()
  const table = Buffer.alloc(indices.length * 2)
  indices.forEach((index, at) => {
    table.writeUInt16BE(index, at * 2)
  })
  return Buffer.concat([head, ...content.members.flatMap(encodeMember), table])
}

function encodeMember({ id, url, zone, host, weight }: Member): Buffer[] {
  const address = Buffer.from(url)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(address.length)
  const capacity = Buffer.alloc(4)
  capacity.writeUInt32BE(weightInThousandths(weight))
  return [short(id), length, address, short(zone), short(host), capacity]
}

/** A text of at most 255 bytes with its length before it. */
function short(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([Buffer.from([bytes.length]), bytes])
}

/** Takes numbers and texts off the front; says `damaged` where the bytes end too early. */
class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  take(count: number): Buffer {
    if (count > this.left) damaged('it ends early')
    this.#at += count
    return this.#bytes.subarray(this.#at - count, this.#at)
  }

  number(bytes: number): number {
    return this.take(bytes).readUIntBE(0, bytes)
  }

  hex(bytes: number): string {
    return this.take(bytes).toString('hex')
  }

  text(lengthBytes: number): string {
    return this.take(this.number(lengthBytes)).toString()
  }
}

function readContent(reader: Reader): RingContent {
  reader.take(6)
  const clusterId = reader.hex(8)
  const era = epoch(reader.number(6))
  const parent = reader.hex(8)
  const partitions = reader.number(2)
  const replicas = reader.number(1)
  const count = reader.number(2)
  const members = Array.from(
    { length: count },
    (): Member => ({
      id: nodeId(reader.text(1)),
      url: reader.text(2),
      zone: reader.text(1),
      host: reader.text(1),
      weight: reader.number(4) / 1_000,
    }),
  )
  const copies = Math.min(replicas, count)
  if (reader.left !== partitions * copies * 2) damaged('its table has another size')
  const table = Array.from({ length: partitions }, () =>
    Array.from({ length: copies }, () => reader.number(2)),
  )
  return { clusterId, epoch: era, parent, partitions, replicas, members, table }
}

function checkContent(record: RingContent): void {
  const { partitions, replicas, members, table } = record
  const [fault] = [...faultsOfSizes(partitions, replicas), ...faultsOfMembers(members)]
  if (fault) damaged(`${fault.field}: ${fault.message}`)
  const canonical = normaliseMembers(members)
  const inForm = members.every(
    (member, index) => member.id === canonical[index]?.id && member.url === canonical[index]?.url,
  )
  if (!inForm) damaged('its members are not in canonical form')
  if (record.epoch < 1) damaged('epochs begin with 1')
  if ((record.epoch === 1) !== (record.parent === NO_PARENT)) {
    damaged('only epoch 1 has no parent')
  }
  const holds = (set: readonly number[]): boolean =>
    set.every((index) => index < members.length) && new Set(set).size === set.length
  if (!table.every(holds)) damaged('a set of its table is not one of distinct members')
}

function damaged(what: string): never {
  throw new ShoalError('SHOAL_RING_DAMAGED', `the ring record cannot be used: ${what}`)
}
