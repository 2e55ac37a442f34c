// Codes are words that a switch can be complete over.
import {
  AuthenticationError,
  type AuthenticationErrorCode,
  AuthorizationError,
  type ProblemDocument,
  SigningError,
  type SigningErrorCode,
  UnavailableError,
} from 'wimse'

export function aCodeNarrowsInASwitchThatCanBeComplete(error: UnavailableError): string {
  switch (error.code) {
    case 'WIMSE_REPLAY_STORE_FULL':
    case 'WIMSE_REPLAY_STORE_UNAVAILABLE':
      error.code satisfies `WIMSE_REPLAY_STORE_${'FULL' | 'UNAVAILABLE'}`
      // @ts-expect-error that is another case
      return error.code satisfies 'WIMSE_TRUST_UNAVAILABLE'
    // @ts-expect-error no such code
    case 'WIMSE_REPLAY_STORE_SLOW':
      return 'nothing'
    case 'WIMSE_TRUST_UNAVAILABLE':
      return 'the keys'
    case 'WIMSE_CALLER_MEMORY_UNAVAILABLE':
      return 'who has a WIT'
    default:
      return error.code satisfies never
  }
}

export function aCodeNarrowsByComparison({ code }: AuthenticationError): void {
  if (code === 'WIMSE_WPT_REPLAYED') code satisfies 'WIMSE_WPT_REPLAYED'
  else code satisfies Exclude<AuthenticationErrorCode, 'WIMSE_WPT_REPLAYED'>
  // @ts-expect-error there are more
  if (code !== 'WIMSE_WPT_REPLAYED') code satisfies never
  // @ts-expect-error no such code
  if (code === 'WIMSE_WPT_REPEAT') return
}

export function eachClassHasItsOwnCodes(error: unknown): void {
  if (error instanceof AuthorizationError) error.code satisfies 'WIMSE_WORKLOAD_FORBIDDEN'
  if (error instanceof SigningError) error.code satisfies SigningErrorCode
  // @ts-expect-error the calling side has other codes
  if (error instanceof SigningError) error.code satisfies AuthenticationErrorCode
  // @ts-expect-error an outage is nobody's failed authentication
  if (error instanceof UnavailableError) error.code satisfies AuthenticationErrorCode
  // @ts-expect-error no such code
  throw new AuthenticationError('WIMSE_WIT_WRONG', { reason: 'none' })
}

export function anAnswerHasNoCodeOfTheCallingSide(document: ProblemDocument): void {
  document.code satisfies string
  // @ts-expect-error nothing has been sent that could be answered
  'WIMSE_URL_INSECURE' satisfies typeof document.code
  // @ts-expect-error an answer is complete when it is made
  document.detail = 'more'
}
