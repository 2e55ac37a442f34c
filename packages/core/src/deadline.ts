/**
 * Waits for an answer no longer than it may take. What is not a promise is passed on as it is.
 *
 * @throws Error when the time is up; the answer, when it comes after all, is not heard
 */
export async function beforeDeadline<T>(answer: T | PromiseLike<T>, timeoutMs: number): Promise<T> {
  if (!isPromise(answer)) return answer
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    return await Promise.race([answer, deadline])
  } finally {
    clearTimeout(timer)
  }
}

/** The time that all store calls of one request may take together. */
export interface StoreBudget {
  /** Milliseconds that are left, at least one, for the call that starts now. */
  left(): number
  /** Takes off what a call has taken. */
  spend(ms: number): void
}

/** Makes a budget of so many milliseconds. */
export function createStoreBudget(ms: number): StoreBudget {
  let left = ms
  return {
    left: () => Math.max(1, left),
    spend: (taken) => {
      left -= taken
    },
  }
}

/** Whether something has to be waited for. Waiting for what is there costs a turn that a request can do without. */
export function isPromise<T>(value: T | Promise<T> | PromiseLike<T>): value is Promise<T> {
  return typeof (value as PromiseLike<T> | null | undefined)?.then === 'function'
}
