/** The little that the benchmarks use of a library without types. */
declare module 'autocannon' {
  interface Options {
    readonly url: string
    readonly method: string
    readonly connections: number
    readonly duration: number
    readonly headers: Readonly<Record<string, string>>
    readonly body?: Buffer
  }
  interface Result {
    readonly requests: { readonly total: number; readonly average: number }
    readonly non2xx: number
    readonly errors: number
  }
  export default function autocannon(options: Options): Promise<Result>
}
