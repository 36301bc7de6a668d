/** @shoal/kernel/documents: pages of `docs/` that are written from tables of this package. */
export { errorPage } from './documents/error-page.ts'
export { limitPage } from './documents/limit-page.ts'
