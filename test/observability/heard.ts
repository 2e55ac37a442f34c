import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { ReplayMessage, SignMessage, TrustMessage, VerifyMessage } from 'wimse'

/** What each channel carries. */
export interface Messages {
  readonly 'wimse.verify': VerifyMessage
  readonly 'wimse.sign': SignMessage
  readonly 'wimse.trust': TrustMessage
  readonly 'wimse.replay': ReplayMessage
}

/** All channels there are. */
export const CHANNELS: readonly (keyof Messages)[] = [
  'wimse.verify',
  'wimse.sign',
  'wimse.trust',
  'wimse.replay',
]

/** What was heard since it was last asked, on each channel. */
export interface Ear {
  readonly take: <Name extends keyof Messages>(name: Name) => readonly Messages[Name][]
  readonly close: () => void
}

/** Listens on every channel. */
export function listen(): Ear {
  const heard = new Map<string, unknown[]>(CHANNELS.map((name) => [name, []]))
  const listeners = CHANNELS.map((name) => {
    const listener = (message: unknown): void => void heard.get(name)!.push(message)
    subscribe(name, listener)
    return () => unsubscribe(name, listener)
  })
  return {
    take: (name) => heard.get(name)!.splice(0) as never,
    close: () => {
      for (const stop of listeners) stop()
    },
  }
}
