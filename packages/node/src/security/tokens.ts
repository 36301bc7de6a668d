/** @shoal/node/tokens: tokens and their file, for a command line that makes and revokes them. */
export { digestOf, makeToken, type TokenRecord } from './token.ts'
export { formatToken, readTokens, withoutToken } from './token-file.ts'
