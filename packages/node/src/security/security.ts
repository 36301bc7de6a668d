/** Everything that keeps strangers out of one node, read from its files and kept up with them. */
import { type Env, limits, type Timer } from '@shoal/kernel'
import type { Log } from '../http/ports.ts'
import type { SecuritySettings } from '../settings.ts'
import { type AuditSink, AuditTrail, auditInLog } from './audit.ts'
import { AuditFile } from './audit-file.ts'
import { type LoadedIdentity, loadIdentity } from './certificate.ts'
import { TokenGate } from './gate.ts'
import { readTokens } from './token-file.ts'
import { WatchedFiles } from './watched-files.ts'

export interface SecurityParts {
  readonly env: Env
  readonly log: Log
  readonly node: string
  readonly settings: SecuritySettings
}

/** From this long before its end a certificate is warned about. */
const EXPIRY_WARN_MS = 14 * 24 * 3_600_000

/**
 * Reads what the settings name.
 *
 * @throws SHOAL_CONFIG_INVALID when a file cannot be read or is not what it should be
 */
export async function openSecurity(parts: SecurityParts): Promise<Security> {
  const security = new Security(parts)
  await security.open()
  return security
}

export class Security {
  readonly audit: AuditTrail
  readonly #parts: SecurityParts
  readonly #auditFile: AuditFile | undefined
  readonly #files: { readonly what: string; readonly files: WatchedFiles }[] = []
  readonly #listeners: ((identity: LoadedIdentity) => void)[] = []
  /** What went wrong last with each, so that it is told once. */
  readonly #faults = new Map<string, string>()
  #gate: TokenGate | undefined
  #identity: LoadedIdentity | undefined
  #timer: Timer | undefined
  #warned = 0
  #closed = false

  /** Not for callers: use `openSecurity`. */
  constructor(parts: SecurityParts) {
    this.#parts = parts
    const { env, log, node, settings } = parts
    const { auditFile: path, tokensFile, tls, rateLimit } = settings
    const onError = (error: Error) => log.error({ err: error, file: path }, 'audit log not written')
    this.#auditFile = path === undefined ? undefined : new AuditFile({ env, path, node, onError })
    const sink: AuditSink = this.#auditFile ?? auditInLog(log)
    this.audit = new AuditTrail(env, sink)
    if (tokensFile !== undefined) this.#watchTokens(tokensFile)
    else if (rateLimit > 0) this.#gate = new TokenGate({ env, tokens: undefined, rate: rateLimit })
    if (tls !== undefined) this.#watchTls(tls)
  }

  /** Absent: everyone may do everything, as often as they like. */
  get gate(): TokenGate | undefined {
    return this.#gate
  }

  /** Absent: no TLS. */
  get identity(): LoadedIdentity | undefined {
    return this.#identity
  }

  /** Told of each new certificate. */
  onIdentity(listener: (identity: LoadedIdentity) => void): void {
    this.#listeners.push(listener)
  }

  async open(): Promise<void> {
    for (const { files } of this.#files) await files.refresh()
    const { tokensFile, tls, rateLimit } = this.#parts.settings
    this.audit.record('start', {
      tokens: tokensFile !== undefined,
      tls: tls !== undefined,
      peerCertificates: tls?.caFile !== undefined,
      rateLimit,
    })
    this.#warnOfExpiry()
    this.#later()
  }

  /** Looks at all files now. What is wrong with one is logged, and what was there before holds. */
  async reload(): Promise<void> {
    this.#auditFile?.recheck()
    for (const { what, files } of this.#files) {
      try {
        if (await files.refresh()) this.#told(what, files.paths)
      } catch (error) {
        this.#failed(what, error as Error)
      }
    }
    this.#warnOfExpiry()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    this.audit.record('stop', {})
    await this.#auditFile?.close()
  }

  #watchTokens(path: string): void {
    const { env, settings } = this.#parts
    const files = [{ path, bytesMax: limits.tokenFileBytesMax }]
    const take = ([text = '']: readonly string[]): void => {
      const tokens = readTokens(path, text)
      if (this.#gate) this.#gate.replace(tokens)
      else this.#gate = new TokenGate({ env, tokens, rate: settings.rateLimit })
    }
    this.#files.push({ what: 'tokens', files: new WatchedFiles(files, take) })
  }

  #watchTls(names: NonNullable<SecuritySettings['tls']>): void {
    const { certFile, keyFile, caFile } = names
    const paths = [certFile, keyFile, ...(caFile === undefined ? [] : [caFile])]
    const files = paths.map((path) => ({ path, bytesMax: limits.certificateFileBytesMax }))
    const take = ([cert = '', key = '', ca]: readonly string[]): void => {
      const identity = loadIdentity({ cert, key, ...(ca === undefined ? {} : { ca }) }, names)
      this.#identity = identity
      for (const listener of this.#listeners) listener(identity)
    }
    this.#files.push({ what: 'certificates', files: new WatchedFiles(files, take) })
  }

  #told(what: string, paths: readonly string[]): void {
    this.#faults.delete(what)
    this.#parts.log.info({ files: paths }, `${what} read again`)
    this.audit.record('reload', { what, files: paths })
  }

  #failed(what: string, { message }: Error): void {
    if (this.#faults.get(what) === message) return
    this.#faults.set(what, message)
    this.#parts.log.error({ reason: message }, `${what} not read again, those before stay in use`)
    this.audit.record('reload', { what, failed: message })
  }

  #warnOfExpiry(): void {
    const { env, log } = this.#parts
    if (this.#identity === undefined) return
    const { expires } = this.#identity
    if (expires - env.clock.wall() > EXPIRY_WARN_MS || this.#warned === expires) return
    this.#warned = expires
    log.warn({ expires: new Date(expires).toISOString() }, 'the certificate of this node ends soon')
  }

  #later(): void {
    if (this.#closed) return
    this.#timer = this.#parts.env.clock.after(limits.securityRecheck, () => {
      const next = (): void => this.#later()
      this.reload().then(next, next)
    })
  }
}
