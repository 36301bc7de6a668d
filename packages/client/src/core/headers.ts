import { headerNames } from '@shoal/wire'

/**
 * Names of headers in lower case, as HTTP/1.1 parsers hand them over and HTTP/2 demands. Spelled in
 * `wire`, for both ends.
 */
export const headers = Object.fromEntries(
  Object.entries(headerNames).map(([name, spelling]) => [name, spelling.toLowerCase()]),
) as { readonly [name in keyof typeof headerNames]: string }
