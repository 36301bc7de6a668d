/**
 * What the image's health check runs: 0 when this node serves. It asks the node where it listens,
 * by the variables that the node itself reads. Its certificate is for others; nobody else can be
 * at its own address.
 */
import { request } from 'node:http'
import { request as requestSecurely } from 'node:https'

const TIMEOUT_MS = 4_000
const { SHOAL_LISTEN, SHOAL_TLS_CERT } = process.env

const [, host, port] = /^(.*):(\d+)$/.exec(SHOAL_LISTEN || '127.0.0.1:4100') ?? []
const local = { '0.0.0.0': '127.0.0.1', '[::]': '::1' }[host] ?? host
const ask = SHOAL_TLS_CERT ? requestSecurely : request

const failed = (reason) => {
  console.error(`${local}:${port}: ${reason}`)
  process.exit(1)
}

ask({ host: local, port, path: '/readyz', rejectUnauthorized: false, timeout: TIMEOUT_MS })
  .on('response', (answer) => {
    if (answer.statusCode === 200) process.exit(0)
    answer.setEncoding('utf8').on('data', (text) => failed(`${answer.statusCode} ${text}`))
  })
  .on('timeout', () => failed(`no answer within ${TIMEOUT_MS} ms`))
  .on('error', ({ message }) => failed(message))
  .end()
