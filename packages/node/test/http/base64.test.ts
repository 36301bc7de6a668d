import fc from 'fast-check'
import t from 'tap'
import { decodeBase64 } from '../../src/http/batch/base64.ts'

const alphabet = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/
const text = fc.string({
  unit: fc.constantFrom(...'ABab019+/==-_ \né€'),
  maxLength: 12,
})

t.test('takes exactly the texts of the standard alphabet', async (t) => {
  fc.assert(
    fc.property(text, (given) => {
      const bytes = decodeBase64(given)
      const wanted = alphabet.test(given) ? Buffer.from(given, 'base64') : undefined
      t.equal(bytes?.toString('hex'), wanted?.toString('hex'), given)
    }),
    { numRuns: 5_000 },
  )
})

t.test('gives back what was encoded', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      t.ok(decodeBase64(Buffer.from(bytes).toString('base64'))?.equals(bytes))
    }),
  )
})
