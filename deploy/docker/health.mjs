/**
 * What the image's health check runs: 0 when this node serves. It asks the node where it listens,
 * by the variable that the node itself reads.
 */
const [, host, port] = /^(.*):(\d+)$/.exec(process.env.SHOAL_LISTEN || '127.0.0.1:4100') ?? []
const local = { '0.0.0.0': '127.0.0.1', '[::]': '[::1]' }[host] ?? host

try {
  const answer = await fetch(`http://${local}:${port}/readyz`, {
    signal: AbortSignal.timeout(4_000),
  })
  if (!answer.ok) console.error(`${answer.status} ${await answer.text()}`)
  process.exitCode = answer.ok ? 0 : 1
} catch (error) {
  console.error(`no answer from ${local}:${port}: ${error.cause?.message ?? error.message}`)
  process.exitCode = 1
}
