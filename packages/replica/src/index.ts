/** @shoal/replica: what one node holds. */
export {}
