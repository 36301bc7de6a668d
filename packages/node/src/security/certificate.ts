/** Certificate, key and authority of a node, and what a certificate says of whose it is. */
import { X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import { ShoalError } from '@shoal/kernel'

/** In PEM. */
export interface TlsIdentity {
  readonly cert: string
  readonly key: string
  readonly ca?: string
}

/** Checked: the key fits the certificate, and both are PEM. */
export interface LoadedIdentity extends TlsIdentity {
  readonly context: SecureContext
  /** Unix milliseconds. */
  readonly expires: number
}

/** TLS 1.2 for clients that cannot do better; nothing older is safe. */
export const tlsVersionMin = 'TLSv1.2' as const

/**
 * @param files  what they are called in errors, which never quote what stands in them
 * @throws SHOAL_CONFIG_INVALID
 */
export function loadIdentity(
  identity: TlsIdentity,
  files: { readonly certFile: string; readonly keyFile: string; readonly caFile?: string },
): LoadedIdentity {
  const { cert, key, ca } = identity
  const expires = attempt(files.certFile, 'it is no certificate in PEM', () =>
    new Date(new X509Certificate(cert).validTo).getTime(),
  )
  if (ca !== undefined) {
    const wrong = 'it is no certificate in PEM'
    attempt(files.caFile ?? '', wrong, () => new X509Certificate(ca))
  }
  const context = attempt(
    files.keyFile,
    `it is no key in PEM, or not that of ${files.certFile}`,
    () =>
      createSecureContext({
        cert,
        key,
        minVersion: tlsVersionMin,
        ...(ca === undefined ? {} : { ca }),
      }),
  )
  return { ...identity, context, expires }
}

function attempt<T>(field: string, message: string, work: () => T): T {
  try {
    return work()
  } catch {
    // Its message may hold a part of what was read.
    throw new ShoalError('SHOAL_CONFIG_INVALID', `${field}: ${message}`, {
      errors: [{ field, message }],
    })
  }
}
