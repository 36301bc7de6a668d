/** @shoal/transport: questions and answers between nodes. */
export type { AnswerSink, IncomingQuestion, Peers, PeerStatus, Question } from './peers.ts'
