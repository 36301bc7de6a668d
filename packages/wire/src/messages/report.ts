import type { ReplicaReport } from '@shoal/kernel'
import type { ByteReader, ByteWriter } from '../bytes.ts'

const roles = ['primary', 'fallback'] as const

/** Two empty texts, a role and a time. */
const REPORT_BYTES_MIN = 4 + 1 + 4 + 8

/** What each replica did for a request, as errors and traces carry it. */
export function writeReports(writer: ByteWriter, reports: readonly ReplicaReport[]): ByteWriter {
  return writer.list(reports, ({ node, role, state, ms }) =>
    writer.text(node).choice(roles, role).text(state).f64(ms),
  )
}

export function readReports(reader: ByteReader): readonly ReplicaReport[] {
  return reader.list(
    (): ReplicaReport => ({
      node: reader.text(),
      role: reader.choice(roles),
      state: reader.text(),
      ms: reader.f64(),
    }),
    REPORT_BYTES_MIN,
  )
}
