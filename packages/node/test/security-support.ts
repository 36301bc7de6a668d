/** Certificates for tests, made once for each process, and requests over TLS. */
import { request } from 'node:https'
import { makeAuthority, makeNodeCertificate } from '../src/security/authority.ts'
import type { TlsIdentity } from '../src/security/certificate.ts'
import type { Answer, Call } from './http/talk.ts'

export const lifetime = { from: Date.now(), days: 30 }
export const authority = await makeAuthority('test', lifetime)
export const stranger = await makeAuthority('test', lifetime)

export async function identityOf(
  node: string,
  parts: { by?: typeof authority; mutual?: boolean; hosts?: string[] } = {},
): Promise<TlsIdentity> {
  const { by = authority, mutual = true, hosts = ['localhost', '127.0.0.1'] } = parts
  const made = await makeNodeCertificate(by, { node, hosts, lifetime })
  return { ...made, ...(mutual ? { ca: authority.cert } : {}) }
}

/** One request over TLS, on a connection of its own. */
export function callTls(
  { port, ca = authority.cert }: { port: number; ca?: string },
  method: string,
  path: string,
  { headers = {}, body }: Call = {},
): Promise<Answer & { readonly certificate: string }> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, ca, method, path, headers: headers as never }
    const sent = request({ ...options, agent: false }, (response) => {
      const socket = response.socket as import('node:tls').TLSSocket
      const certificate = socket.getPeerCertificate().fingerprint256
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers as Answer['headers'],
          body: Buffer.concat(pieces),
          certificate,
        }),
      )
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
