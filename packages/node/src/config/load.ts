/** Where the files of a configuration are read. */
import { closeSync, openSync, readSync } from 'node:fs'
import { limits } from '@shoal/kernel'
import { formatBytes } from './bytes.ts'
import { type ExaminedConfig, examineConfig, type NodeConfig, readConfig } from './config.ts'
import { type ConfigSources, configPath, type FileText } from './sources.ts'

export type GivenSources = Pick<ConfigSources, 'flags' | 'environment'>

/**
 * Reads the settings of a node from flags, environment and the files that these name.
 *
 * @throws SHOAL_CONFIG_INVALID with everything that is wrong in `details.errors`, by its place
 * @throws SHOAL_LISTEN_OPEN  clients elsewhere could reach it and nothing asks who they are
 */
export const loadConfig = (given: GivenSources): NodeConfig => readConfig(withFiles(given))

/** As `loadConfig`, for those who want to see a wrong configuration too. */
export const inspectConfig = (given: GivenSources): ExaminedConfig =>
  examineConfig(withFiles(given))

function withFiles({ flags, environment }: GivenSources): ConfigSources {
  const named = configPath({ flags, environment })
  const readSecret = (path: string): FileText => readTextFile(path, limits.secretBytesMax)
  if (named === undefined) return { flags, environment, readSecret }
  const path = String(named.written)
  const file = { path, ...readTextFile(path, limits.configFileBytesMax) }
  return { flags, environment, file, readSecret }
}

/** Says why without saying what: the path may be a secret in the wrong place. */
function readTextFile(path: string, bytesMax: number): FileText {
  try {
    const bytes = readAtMost(path, bytesMax + 1)
    if (bytes.length > bytesMax) {
      return { fault: `the file is larger than ${formatBytes(bytesMax)}` }
    }
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }
  } catch (error) {
    const { code = 'ERR_UNKNOWN' } = error as NodeJS.ErrnoException
    const reason = code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'it is not UTF-8' : code
    return { fault: `the file cannot be read: ${reason}` }
  }
}

/** Not by its size, which pipes and what Kubernetes mounts do not tell. */
function readAtMost(path: string, bytes: number): Buffer {
  const file = openSync(path, 'r')
  try {
    const buffer = Buffer.alloc(bytes)
    let length = 0
    for (let got = -1; got !== 0 && length < bytes; length += got) {
      got = readSync(file, buffer, length, bytes - length, null)
    }
    return buffer.subarray(0, length)
  } finally {
    closeSync(file)
  }
}
