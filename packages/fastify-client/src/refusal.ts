import { beforeDeadline } from 'wimse'

/** Refusals that another identity token cures: it has expired, or its issuer's key is not known there. */
const CURABLE: ReadonlySet<string> = new Set(['WIMSE_WIT_EXPIRED', 'WIMSE_WIT_KEY'])

const PROBLEM = /^application\/problem\+json\b/i
const LONGEST_PROBLEM = 16_384
/** A problem document that takes longer is none that is worth waiting for. */
const SLOWEST_PROBLEM_MS = 1000

/**
 * Tells whether the called side refused an identity token that another one could take the place of: its problem
 * document says so, or, where it has no code of ours, its challenge asks for a proof. The answer can still be
 * read.
 *
 * @see {@link https://www.ietf.org/archive/id/draft-ietf-wimse-wpt-02.html#section-2.1}
 */
export async function asksForAnotherCredential(response: Response): Promise<boolean> {
  const { status, headers } = response
  if (status !== 400 && status !== 401) return false
  const code = PROBLEM.test(headers.get('content-type') ?? '') ? await readCodeInTime(response.clone()) : null
  if (code !== null) return CURABLE.has(code)
  return status === 401 && /(?:^|,)\s*WPT(?:[\s,]|$)/i.test(headers.get('www-authenticate') ?? '')
}

async function readCodeInTime({ body }: Response): Promise<string | null> {
  if (body === null) return null
  const reader = body.getReader()
  return beforeDeadline(readCode(reader), SLOWEST_PROBLEM_MS).catch(() => {
    void reader.cancel().catch(() => undefined)
    return null
  })
}

async function readCode(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string | null> {
  const decoder = new TextDecoder()
  let text = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return codeIn(text + decoder.decode())
      text += decoder.decode(value, { stream: true })
      if (text.length > LONGEST_PROBLEM) return null
    }
  } catch {
    return null
  } finally {
    // Whoever reads the answer itself hears of its failure.
    void reader.cancel().catch(() => undefined)
  }
}

function codeIn(text: string): string | null {
  try {
    const problem: unknown = JSON.parse(text)
    const code = typeof problem === 'object' && problem !== null && 'code' in problem ? problem.code : null
    return typeof code === 'string' && code.startsWith('WIMSE_') ? code : null
  } catch {
    return null
  }
}
