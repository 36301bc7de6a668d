/**
 * What nodes say to each other. A question has one kind, its answer another. Numbers are for ever:
 * a new meaning gets a new number.
 */
export const questionKinds = {
  /** Merge this row into yours (V2, V3). */
  merge: 1,
  /** What do you hold of this key? */
  read: 2,
  /** Coordinate this client write; I am no replica of it (V4). */
  write: 3,
  /** Which keys of a bucket do you hold, in these partitions? */
  list: 4,
  /** How are you? */
  status: 5,
  /** Do you have this trace? */
  trace: 6,
  /** Are you alive? Answered before anything else. */
  ping: 7,
  /** Ask another member whether it is alive: I do not hear it. */
  pingRequest: 8,
  /** News of members, or: do you know what I know? */
  gossipSync: 9,
  /** What is your ring? Asked of one that has a newer one. */
  ringFetch: 10,
  /** Where do our copies of a partition differ (E2)? */
  exchange: 11,
  /** Which keys do you hold in these segments, in which version? */
  segmentKeys: 12,
  /** Is this key in your tree? */
  proof: 13,
  /** What do you owe others? The key of a row follows where only that row is meant. */
  hints: 14,
  /** Merge this row into yours, and owe it to the primaries named: you stand in for them (Q3). */
  mergeAsStandIn: 15,
  /** Coordinate this client write: you are no replica of it, and none can be reached (V4). */
  writeAsStandIn: 16,
  /** How far may your copies be apart from others (E6)? */
  repairs: 17,
} as const

export const answerKinds = {
  /** The merge is on disk here. */
  mergedDurable: 1,
  /** The merge is with the operating system here; `mergedDurable` follows. */
  mergedWritten: 2,
  /** The whole row. */
  row: 3,
  /** My version has the digest you sent. */
  same: 4,
  absent: 5,
  /** The version alone, without values. */
  version: 6,
  written: 7,
  listed: 8,
  status: 9,
  trace: 10,
  /** Not done, and why: an error code. */
  refused: 11,
  /** I live; and whether the member lives of which I was asked. */
  pong: 12,
  gossip: 13,
  /** The ring record. */
  ring: 14,
  exchange: 16,
  segmentKeys: 17,
  proof: 18,
  hints: 19,
  repairs: 20,
} as const
