/** @shoal/wire: what nodes say to each other, as bytes; and the names of headers and parameters. */
export {}
