import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel'

/** One channel, and whether anybody listens: asked before anything is built or any clock is read. */
export interface MessageChannel<Message extends object> {
  readonly hasSubscribers: boolean
  /** Tells whoever listens. Never throws: what a subscriber throws, Node reports as an uncaught exception. */
  publish(message: Message): void
}

/** Opens a channel of `node:diagnostics_channel`, whose messages are frozen. */
export function openChannel<Message extends object>(name: string): MessageChannel<Message> {
  // Held for as long as the module is: Node keeps channels that nobody holds by weak references.
  const opened = channel(name)
  return {
    get hasSubscribers() {
      return opened.hasSubscribers
    },
    publish(message) {
      try {
        opened.publish(Object.freeze(message))
      } catch {
        // Not what Node does, but what may take its place: a request is not refused for want of a listener.
      }
    },
  }
}

/** Hears what is published on a channel. @returns a function that ends it */
export function listenTo(name: string, listener: (message: unknown) => void): () => void {
  subscribe(name, listener)
  return () => void unsubscribe(name, listener)
}
