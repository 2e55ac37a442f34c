/** Asks the console's own server. @throws Error when it gives no answer, or another than asked for */
export async function ask<Answer>(path: string, method: 'GET' | 'POST' = 'GET'): Promise<Answer> {
  const response = await fetch(path, { method, redirect: 'error', signal: AbortSignal.timeout(15_000) })
  if (!response.ok) throw new Error(`the console answered ${response.status}`)
  return (await response.json()) as Answer
}
