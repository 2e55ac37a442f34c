/**
 * Tells a listener. One that throws, or rejects, must not keep anything from being renewed, nor end the process.
 */
export function tell<Event>(onEvent: (event: Event) => unknown, event: Event): void {
  try {
    const heard = onEvent(event) as PromiseLike<unknown> | undefined
    if (typeof heard?.then === 'function') heard.then(undefined, () => undefined)
  } catch {
    // Its failure is its own.
  }
}
