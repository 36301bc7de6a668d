/** k6 has it, and its types do not say so. */
declare const console: { error(message: string): void }
