/** @shoal/bench: load and figures. */
export { Histogram } from './histogram.ts'
export { type LoadOptions, type LoadResult, runLoad, type Target } from './load.ts'
export { cpuMicros, residentBytes } from './processes.ts'
export { type Answer, RawConnection } from './raw-http.ts'
