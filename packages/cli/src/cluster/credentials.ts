/** What a command shows to a cluster that asks who it is, and how it knows the cluster. */
import { readFile } from 'node:fs/promises'
import { ShoalError } from '@shoal/kernel'

/** A token is no flag: others on the machine can see those. */
export interface CredentialOptions {
  readonly tokenFile?: string
  /** A file of authorities in PEM, instead of the machine's. */
  readonly ca?: string
}

export interface Credentials {
  readonly token: string | undefined
  readonly ca: string | undefined
}

const TOKEN = /^[\x21-\x7e]{1,4096}$/

/** @throws SHOAL_CONFIG_INVALID, which never quotes a token */
export async function readCredentials(
  { tokenFile, ca }: CredentialOptions,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Credentials> {
  const given = environment.SHOAL_TOKEN ?? ''
  const token = tokenFile === undefined ? given : await read('--token-file', tokenFile)
  if (token !== '' && !TOKEN.test(token.trim())) {
    throw refused(tokenFile === undefined ? 'SHOAL_TOKEN' : '--token-file', 'it holds no token')
  }
  return {
    token: token.trim() || undefined,
    ca: ca === undefined ? undefined : await read('--ca', ca),
  }
}

async function read(flag: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    throw refused(flag, `the file cannot be read: ${code}`)
  }
}

const refused = (field: string, message: string): ShoalError =>
  new ShoalError('SHOAL_CONFIG_INVALID', `${field}: ${message}`)
