// Options: what safety needs is required, and a name nobody reads is an error.
import type { FastifyInstance } from 'fastify'
import { type ReplayStore, type TrustDomainOptions, wimse, type WimseOptions } from 'fastify-wimse'
import {
  type CredentialSource,
  type TargetOptions,
  wimseClient,
  type WorkloadFetchOptions,
} from 'fastify-wimse-client'
import { type AudienceOptions, type AuthenticatorOptions, type Credential, signRequest } from 'wimse'
import { createTestIdentityServer, signedInject } from 'wimse-testkit'

const audience = 'https://inventory.example.com'
const trustDomains = { 'wimse://example.com': { jwks: { keys: [] } } }
const called = { audience, trustDomains }

export function theCalledSideSaysWhatSafetyDependsOn(): void {
  called satisfies WimseOptions
  called satisfies AuthenticatorOptions
  // @ts-expect-error no audience is safe to assume
  ;({ trustDomains }) satisfies WimseOptions
  // @ts-expect-error no trust domain is safe to assume
  ;({ audience }) satisfies WimseOptions
  // @ts-expect-error no audience is safe to assume
  ;({ trustDomains }) satisfies AuthenticatorOptions
}

export function theCalledSideHasNoOtherNames(): void {
  ;({ ...called, clockTolerance: 5, stripTokens: false, onDenied: 'throw' }) satisfies WimseOptions
  // @ts-expect-error misspelt
  ;({ ...called, clockTolerence: 5 }) satisfies WimseOptions
  // @ts-expect-error the plugin's, not the authenticator's
  ;({ ...called, stripTokens: false }) satisfies AuthenticatorOptions
  // @ts-expect-error misspelt
  ;({ jwks: { keys: [] }, algorithm: ['ES256'] }) satisfies TrustDomainOptions
  // @ts-expect-error misspelt
  ;({ origins: [audience], alias: [] }) satisfies AudienceOptions
}

export async function theNamesAreCheckedWhereThePluginIsRegistered(app: FastifyInstance): Promise<void> {
  await app.register(wimse, { audience, trustDomains, clockTolerance: 5 })
  // @ts-expect-error misspelt
  await app.register(wimse, { audience, trustDomains, clockTolerence: 5 })
  // @ts-expect-error no trust domain is safe to assume
  await app.register(wimse, { audience })
  await app.register(wimseClient, { credentials, targets: [] })
  // @ts-expect-error misspelt
  await app.register(wimseClient, { credentials, targets: [], lifetimes: 60 })
}

export function wordsAndNumbersAreNotTakenForEachOther(): void {
  ;({ ...called, replay: false, revisions: ['wpt-01', 'wpt-02'] }) satisfies WimseOptions
  // @ts-expect-error true is not a store
  ;({ ...called, replay: true }) satisfies WimseOptions
  // @ts-expect-error there is no such revision
  ;({ ...called, revisions: ['wpt-03'] }) satisfies WimseOptions
  // @ts-expect-error symmetric: whoever can check such a token can make one
  ;({ ...called, algorithms: ['HS256'] }) satisfies WimseOptions
  // @ts-expect-error seconds are a number
  ;({ ...called, maxProofLifetime: '5m' }) satisfies WimseOptions
  // @ts-expect-error left out and set to undefined are different things
  ;({ ...called, maxProofLifetime: undefined }) satisfies WimseOptions
}

export function aReplayStoreAnswersInWords(): void {
  ;({ claim: () => 'first' as const }) satisfies ReplayStore
  ;({ claim: async () => 'full' as const }) satisfies ReplayStore
  // @ts-expect-error true could mean first as well as seen
  ;({ claim: () => true }) satisfies ReplayStore
  // @ts-expect-error no such answer
  ;({ claim: () => 'ok' as const }) satisfies ReplayStore
}

declare const credential: Credential
const credentials: CredentialSource = { current: () => credential }

export function theCallingSideSaysWhoAndWhereTo(): void {
  ;({ credentials, targets: [audience, { url: audience }] }) satisfies WorkloadFetchOptions
  // @ts-expect-error an identity is not sent just anywhere
  ;({ credentials }) satisfies WorkloadFetchOptions
  // @ts-expect-error there is no identity to fall back to
  ;({ targets: [audience] }) satisfies WorkloadFetchOptions
  // @ts-expect-error misspelt
  ;({ credentials, targets: [], allowInsecureTargets: true }) satisfies WorkloadFetchOptions
  // @ts-expect-error misspelt
  ;({ url: audience, aud: audience }) satisfies TargetOptions
}

export async function aTestSignsByTheClockOfItsIdentityServer(app: FastifyInstance): Promise<void> {
  const { now } = createTestIdentityServer({ origin: 'wimse://example.com' })
  await signedInject(app, credential, { url: audience, now })
  // @ts-expect-error seconds are a number
  await signedInject(app, credential, { url: audience, now: 'noon' })
}

export function aCredentialKeepsItsKey(): void {
  signRequest(credential, { url: audience }) satisfies Record<string, string>
  // @ts-expect-error what is imported is not given away
  void credential.key
  // @ts-expect-error a token without its key signs nothing
  signRequest({ wit: credential.wit }, { url: audience })
}
