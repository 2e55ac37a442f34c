// What each step of a request's road may be given. Checked by the compiler: nothing here runs, and an
// expected error that does not come is an error. Beside each stands the same with nothing wrong.
import { verifySignature } from '../../packages/core/src/crypto/signature.js'
import { type ProofContext, type ProofRules, verifyProof } from '../../packages/core/src/proof/wpt.js'
import {
  parseWit,
  type TrustedWit,
  trustWit,
  type UnverifiedWit,
  type WitRules,
} from '../../packages/core/src/trust/wit.js'
import { tokenHash } from '../../packages/core/src/crypto/token-hash.js'
import type { Authenticator, TrustBundle, Workload } from 'wimse'

interface Given {
  readonly token: string
  readonly unverified: UnverifiedWit
  readonly trusted: TrustedWit
  readonly bundle: TrustBundle
  readonly rules: WitRules
  readonly context: ProofContext
  readonly proofRules: ProofRules
}

declare function accept(wit: TrustedWit): void

export function aTrustedWitCannotBeWrittenByHand(
  parts: Pick<TrustedWit, Exclude<keyof TrustedWit, symbol>>,
  { trusted }: Given,
): void {
  accept({ ...parts, ...trusted })
  // @ts-expect-error the mark is missing
  accept(parts)
  // @ts-expect-error a mark of one's own is another mark
  accept({ ...parts, [Symbol('trusted')]: true })
  // @ts-expect-error nor does a string stand for it
  accept({ ...parts, trusted: true })
}

export function aWitIsTrustedOnlyOnceItIsParsed({ token, unverified, bundle, rules }: Given): void {
  trustWit(unverified, bundle, rules, 0) satisfies TrustedWit
  trustWit(parseWit(token, tokenHash(token), rules.algorithms), bundle, rules, 0) satisfies TrustedWit
  // @ts-expect-error a string is not a WIT of the right shape
  trustWit(token, bundle, rules, 0)
  // @ts-expect-error what is parsed is believed by nobody
  parseWit(token, tokenHash(token), rules.algorithms) satisfies TrustedWit
}

export function aProofIsVerifiedOnlyAgainstATrustedWit({
  token,
  unverified,
  trusted,
  ...given
}: Given): void {
  void verifyProof(token, trusted, given.context, given.proofRules, 0, verifySignature)
  // @ts-expect-error nobody has vouched for this WIT
  void verifyProof(token, unverified, given.context, given.proofRules, 0, verifySignature)
  // @ts-expect-error nor for a string
  void verifyProof(token, token, given.context, given.proofRules, 0, verifySignature)
  // @ts-expect-error time is an argument, not a default
  void verifyProof(token, trusted, given.context, given.proofRules)
}

export async function whatAHandlerGetsCannotBeChanged(
  authenticator: Authenticator,
  presented: Parameters<Authenticator['authenticate']>[0],
): Promise<void> {
  const workload: Workload = await authenticator.authenticate(presented)
  // @ts-expect-error a WIT is remembered: what one handler writes, the next would read
  workload.id = 'wimse://example.com/another'
  // @ts-expect-error all the way down
  workload.claims['role'] = 'admin'
  // @ts-expect-error all the way down
  workload.boundTokens.otherTokens.push('x-session')
  // @ts-expect-error no raw token on it
  const { wit } = workload
  return wit
}
