import { type Credential, type CredentialSource, importCredential } from 'wimse'

/**
 * A credential that stays the same until the process ends: for tests, and where something else restarts
 * the process before the identity token expires.
 *
 * @param material `wit` as received; `key` its private key as JWK or PEM
 * @returns a source whose `current()` rejects with `SigningError` `WIMSE_CREDENTIAL_MISMATCH` when key and
 *   token do not belong together
 */
export function staticCredentials(material: Parameters<typeof importCredential>[0]): CredentialSource {
  let credential: Credential | Promise<Credential> = importCredential(material)
  void credential.then(
    (imported) => (credential = imported),
    // Whoever asks for the credential hears of the failure; until then it is nobody's unhandled rejection.
    () => undefined,
  )
  return { current: () => credential }
}
