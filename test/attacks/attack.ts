import type { Scene } from './scene.js'

/** One move of an attacker, and what a service has to answer. */
export interface Attack {
  /** What is tried, to follow the name of the table. */
  readonly name: string
  /**
   * What every refusal has to be: one of our codes; or the status with which Node or Fastify refuses a head
   * before any hook; or `closed`, where Node does not even answer; or, over HTTP/2, how the stream is closed.
   */
  readonly answer: string
  /**
   * Prepares the attack, which may take good requests of its own, and gives what goes over the wire: the
   * bytes of one connection, or the fields of one HTTP/2 request; or what makes them anew each time.
   */
  readonly request: (scene: Scene) => ReturnType<Request> | Promise<() => Promise<Sent>>
  /**
   * The good requests of which it is a change, to the same service. Each is let in before and after. Default
   * what the service lets in anyway.
   */
  readonly controls?: readonly Request[]
  /** Which service is attacked. Default the plain one. */
  readonly service?: ServiceName
  /** How often it is sent, all at once. Default once. */
  readonly times?: number
  /** How many of the requests sent are good ones. Default none. */
  readonly letIn?: number
}

/** Prepares a request. */
export type Request = (scene: Scene) => Sent | Promise<Sent>

/** What goes over the wire: bytes as ISO 8859-1, or the fields of an HTTP/2 request. */
export type Sent = string | readonly (readonly [name: string, value: string])[]

/** The services there are to attack; `scene.ts` has how they differ. */
export type ServiceName =
  | 'plain'
  | 'both revisions'
  | 'wpt-02'
  | 'transition'
  | 'bearer'
  | 'other tokens'
  | 'gateway'
  | 'h2c'

/** Moves of one kind, and which requirements they are about. */
export interface AttackTable {
  readonly name: string
  readonly attacks: readonly Attack[]
  /** Whether each may cost little more than its control, in CPU time and in memory that stays held. */
  readonly isAboutCost?: boolean
}
