import type { Send } from './tour.js'

/** A request that was sent and what came back, as they were on the wire. */
export interface Exchange {
  readonly request: {
    readonly method: string
    readonly url: string
    readonly headers: readonly (readonly [name: string, value: string])[]
    readonly body: string | null
  }
  readonly response: {
    readonly status: number
    readonly headers: readonly (readonly [name: string, value: string])[]
    readonly body: string
  }
}

/**
 * Makes a `send` that remembers all exchanges. They hold whole tokens: they are for the page of whoever made
 * the call, and never for a log.
 */
export function createRecorder(): { readonly send: Send; readonly exchanges: readonly Exchange[] } {
  const exchanges: Exchange[] = []
  const send: Send = async (url, init = {}) => {
    const response = await fetch(url, init)
    exchanges.push({
      request: {
        method: init.method ?? 'GET',
        url,
        headers: Object.entries((init.headers ?? {}) as Record<string, string>),
        body: typeof init.body === 'string' ? init.body : null,
      },
      response: {
        status: response.status,
        headers: [...response.headers],
        body: await response.clone().text(),
      },
    })
    return response
  }
  return { send, exchanges }
}
