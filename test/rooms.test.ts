import { describe, expect, it } from 'vitest'
import {
  arrowsPointingUp,
  filesInCycles,
  idleDependencies,
  importsThroughWalls,
  reachOf,
  type Rooms,
  strayImports,
} from './rooms/arrows.js'
import { type Door, readDoors } from './rooms/doors.js'
import { type Member, readMembers, readSources, type SourceFile } from './rooms/source-files.js'

const packages = readMembers('packages')
const apps = readMembers('apps')
const workspace = [...packages, ...apps]
const sources = new Map(workspace.map((member) => [member.name, readSources(member)]))
const core = sources.get('wimse')!

/** All that each package stands on. */
const STANDS_ON: Readonly<Record<string, Pick<Member, 'dependencies' | 'peers'>>> = {
  wimse: { dependencies: ['jose', 'lru-cache'], peers: ['@opentelemetry/api'] },
  'fastify-wimse': { dependencies: ['fastify-plugin', 'wimse'], peers: ['fastify'] },
  'fastify-wimse-client': { dependencies: ['fastify-plugin', 'undici', 'wimse'], peers: ['fastify'] },
  'wimse-cli': { dependencies: ['wimse'], peers: [] },
  'wimse-redis': { dependencies: ['wimse'], peers: [] },
  'wimse-spiffe': { dependencies: ['@grpc/grpc-js', 'protobufjs', 'wimse'], peers: [] },
  'wimse-testkit': { dependencies: ['jose', 'wimse'], peers: [] },
}

/** Files at the root that need nothing but each other, so that every room from trust upwards may name them. */
const GROUND = [
  'codes',
  'clock',
  'deadline',
  'field-value',
  'options',
  'secure-url',
  'tell',
  'errors',
  'revisions',
]
const OUTSIDE_WORLD = ['node:fs', 'node:fs/promises', 'node:http', 'node:https', 'node:net']

/** The rooms of core, bottom to top. Nowhere stands `global:fetch`: it follows redirects and has no limit. */
const CORE_ROOMS: Rooms = {
  codes: [],
  clock: [],
  deadline: [],
  'field-value': [],
  options: [],
  'secure-url': [],
  tell: [],
  'redact-paths': [],
  channels: ['node:diagnostics_channel'],
  errors: ['codes'],
  revisions: ['type codes', 'options'],
  identity: ['type revisions'],
  jws: [],
  'proof/audience': ['identity'],
  'proof/authorization': ['field-value'],
  'trust/domain-rules': ['identity', 'options'],
  explain: [...GROUND, 'identity', 'jws', 'proof/audience', 'proof/authorization', 'trust/domain-rules'],
  crypto: ['jws', 'node:crypto', 'jose'],
  trust: [
    ...GROUND,
    'identity',
    'jws',
    'crypto',
    'node:crypto',
    'type jose',
    'node:path',
    'lru-cache',
    'type trust/domain-rules',
    ...OUTSIDE_WORLD,
  ],
  proof: [...GROUND, 'type identity', 'jws', 'crypto', 'type trust', 'type proof/audience'],
  replay: [...GROUND, 'type identity', 'node:crypto'],
  observation: [...GROUND, 'channels', 'type identity', 'type trust', 'replay'],
  opentelemetry: ['channels', 'observation', '@opentelemetry/api'],
  signing: [
    ...GROUND,
    'observation',
    'identity',
    'jws',
    'crypto',
    'trust',
    'proof',
    'proof/authorization',
    'node:crypto',
    'node:util',
    'jose',
  ],
  problem: [...GROUND],
  'authenticator-options': [
    ...GROUND,
    'type identity',
    'jws',
    'proof/audience',
    'replay',
    'trust',
    'trust/domain-rules',
    'observation',
  ],
  authenticate: [
    ...GROUND,
    'type identity',
    'crypto',
    'proof/audience',
    'proof',
    'replay',
    'trust',
    'observation',
    'authenticator-options',
  ],
  access: [...GROUND, 'identity', 'type authenticate', 'jws', 'trust', 'observation', 'jose'],
}

/**
 * The door of core may name what is in any room but that of the optional peer; the doors for browsers and for
 * OpenTelemetry are in the rooms they open on.
 */
const CORE: Rooms = {
  ...CORE_ROOMS,
  index: Object.keys(CORE_ROOMS).filter((room) => room !== 'opentelemetry'),
}

describe('between packages, imports', () => {
  for (const member of workspace) {
    const files = sources.get(member.name)!

    it(`of ${member.name} stay in its folder or go through doors of what its package.json names`, () => {
      expect(files.length).toBeGreaterThan(0)
      expect(strayImports(member, files, workspace)).toEqual([])
    })

    it(`of ${member.name} form no ring of files`, () => {
      expect(filesInCycles(files)).toEqual([])
    })
  }

  it('follow the plan of the house', () => {
    const actual = packages.map(({ name, dependencies, peers }) => [name, { dependencies, peers }])
    expect(Object.fromEntries(actual)).toEqual(STANDS_ON)
  })

  it('leave no dependency of a package unused', () => {
    const idle = packages.flatMap((member) =>
      idleDependencies(member, sources.get(member.name)!).map((name) => `${member.name} → ${name}`),
    )
    expect(idle).toEqual([])
  })
})

describe('inside core, imports', () => {
  it('go from room to room as the table allows', () => {
    expect(importsThroughWalls(CORE, core)).toEqual([])
  })

  it('run one way, since no row of the table names a room below itself', () => {
    expect(arrowsPointingUp(CORE)).toEqual([])
  })

  it('reach files and sockets from trust alone', () => {
    const rooms = Object.keys(CORE).filter((room) => OUTSIDE_WORLD.some((name) => CORE[room]!.includes(name)))
    expect(rooms).toEqual(['trust'])
  })

  it('of jws, identity, proof/audience and explain need nothing that a browser lacks, by whatever road', () => {
    const portable = core.filter(({ path }) =>
      /src\/(?:jws|identity|explain)\/|src\/proof\/audience\.ts|src\/explain\.ts/.test(path),
    )
    expect(portable.length).toBeGreaterThan(18)
    expect(
      reachOf(
        portable.map(({ path }) => path),
        core,
      ),
    ).toEqual([])
  })

  it('of the first door reach no peer, which may not be installed', () => {
    expect(reachOf(['packages/core/src/index.ts'], core)).not.toContain('@opentelemetry/api')
    expect(reachOf(['packages/core/src/opentelemetry.ts'], core)).toContain('@opentelemetry/api')
  })

  it('of the other rooms are seen to need node:crypto, so the search does find something', () => {
    expect(reachOf(['packages/core/src/trust/wit.ts'], core)).toEqual(['node:crypto'])
  })
})

const NAMELESS = /\/(?:utils?|helpers?|common|types?)(?:\.|\/)/

describe('source files', () => {
  it('are named after what they are about', () => {
    expect([...sources.values()].flat().filter(({ path }) => NAMELESS.test(path))).toEqual([])
    expect('packages/core/src/utils.ts').toMatch(NAMELESS)
    expect('packages/core/src/common/keys.ts').toMatch(NAMELESS)
  })
})

const DOORS: Readonly<Record<string, Omit<Door, 'undocumented'>>> = {
  wimse: {
    values: [
      'AUTHENTICATOR_OPTIONS',
      'AuthenticationError',
      'AuthorizationError',
      'DEFAULT_PROOF_LIFETIME',
      'LONGEST_WIT_REQUEST',
      'REALM',
      'REVISIONS',
      'SigningError',
      'UnavailableError',
      'accessTokens',
      'admit',
      'allow',
      'beforeDeadline',
      'beginVerification',
      'callerOf',
      'challengesFor',
      'compileAllowRule',
      'createAuthenticator',
      'createBearerVerifier',
      'createSignatureTurns',
      'createTrustBundleSource',
      'createWitRequest',
      'deprecationFields',
      'importCredential',
      'isPromise',
      'isSecureUrl',
      'issueWit',
      'jwtSvids',
      'kubernetesServiceAccounts',
      'memberOf',
      'memoryCallerMemory',
      'memoryReplayStore',
      'noteCaller',
      'parseJsonObject',
      'parseWorkloadIdentifier',
      'problemFor',
      'readAuthorization',
      'readCertificates',
      'readFieldNames',
      'readFileWithin',
      'readFunction',
      'readNumber',
      'readTransitionOptions',
      'readTrustBundle',
      'redactPaths',
      'refuseUnknownOptions',
      'resolveConfirmation',
      'signRequest',
      'signWpt',
      'systemClock',
      'tell',
      'tellAdmission',
      'tellRefusal',
      'tellTrustEvent',
      'tellUnsigned',
      'under',
      'verifyPossession',
      'verifyWitRequest',
      'watchFile',
      'withRouteDates',
      'withoutTokens',
    ],
    types: [
      'AdmissionPolicy',
      'AlgorithmName',
      'AllowPredicate',
      'AllowRule',
      'AudienceOptions',
      'AuthenticationErrorCode',
      'Authenticator',
      'AuthenticatorOptions',
      'Authorization',
      'AuthorizationErrorCode',
      'BearerContext',
      'BearerOptions',
      'BearerPresetOptions',
      'BearerVerifier',
      'BoundTokens',
      'CallerMemory',
      'Clock',
      'Confirmation',
      'ConfirmationMethod',
      'ConfirmationOptions',
      'ConfirmedMessage',
      'Credential',
      'CredentialEvent',
      'CredentialSource',
      'Diagnostics',
      'HeaderFields',
      'Instant',
      'InteropOptions',
      'IssueWitOptions',
      'JsonObject',
      'JwtBearerOptions',
      'KeyDirectory',
      'MemoryCallerMemoryOptions',
      'MemoryReplayStoreOptions',
      'NumberRange',
      'OpaqueBearerOptions',
      'PossessionAlgorithm',
      'PresentedCredential',
      'PresentedTokens',
      'Problem',
      'ProblemDocument',
      'ProblemOptions',
      'RefusalError',
      'ReplayAnswer',
      'ReplayMessage',
      'ReplayStore',
      'Revision',
      'SignMessage',
      'SignRequestOptions',
      'SignatureCheck',
      'SigningErrorCode',
      'Stage',
      'StoreEvent',
      'StoreFailurePolicy',
      'Transition',
      'TransitionOptions',
      'TrustBundle',
      'TrustBundleSource',
      'TrustBundleSourceOptions',
      'TrustDomainOptions',
      'TrustEvent',
      'TrustKey',
      'TrustMessage',
      'UnavailableErrorCode',
      'VerificationNotes',
      'VerifiedWitRequest',
      'VerifyMessage',
      'WitRequest',
      'Workload',
      'WorkloadIdentifier',
      'WptOptions',
    ],
  },
  'wimse/explain': {
    values: ['explain', 'parsePastedRequest', 'webCrypto'],
    types: [
      'AlgorithmName',
      'AudienceOptions',
      'AuthenticationErrorCode',
      'Check',
      'CheckId',
      'CheckOutcome',
      'DecodedToken',
      'ExplainCrypto',
      'ExplainPolicy',
      'ExplainRequest',
      'ExplainTrustDomain',
      'Explanation',
      'HeaderPairs',
      'PastedRequest',
      'PublicJwk',
      'Revision',
      'Rule',
      'SubtleVerifier',
    ],
  },
  'wimse-cli': { values: ['processTerminal', 'run'], types: ['ExitCode', 'Terminal'] },
  'wimse/opentelemetry': {
    values: ['instrument'],
    types: ['InstrumentOptions'],
  },
  'fastify-wimse': {
    values: [
      'AuthenticationError',
      'AuthorizationError',
      'UnavailableError',
      'accessTokens',
      'createTrustBundleSource',
      'default',
      'jwtSvids',
      'kubernetesServiceAccounts',
      'memberOf',
      'memoryCallerMemory',
      'memoryReplayStore',
      'redactPaths',
      'under',
      'wimse',
      'workloadOf',
    ],
    types: [
      'Adoption',
      'AlgorithmName',
      'AllowPredicate',
      'AllowRule',
      'AudienceOptions',
      'AuthenticationErrorCode',
      'AuthenticatorOptions',
      'AuthorizationErrorCode',
      'BearerOptions',
      'BoundTokens',
      'CallerAdoption',
      'CallerMemory',
      'CredentialUse',
      'Diagnostics',
      'InteropOptions',
      'ReplayAnswer',
      'ReplayStore',
      'Revision',
      'RouteAdoption',
      'StoreFailurePolicy',
      'TransitionOptions',
      'TrustBundle',
      'TrustBundleSource',
      'TrustBundleSourceOptions',
      'TrustDomainOptions',
      'TrustEvent',
      'UnavailableErrorCode',
      'WimseAllowRule',
      'WimseControl',
      'WimseMode',
      'WimseOptions',
      'WimseRouteOptions',
      'Workload',
    ],
  },
  'fastify-wimse-client': {
    values: [
      'SigningError',
      'createWorkloadFetch',
      'default',
      'expectServer',
      'fileCredentials',
      'identityServerCredentials',
      'redactPaths',
      'staticCredentials',
      'wimseClient',
      'wimseInterceptor',
    ],
    types: [
      'Credential',
      'CredentialEvent',
      'CredentialSource',
      'Dispatch',
      'DispatchHandler',
      'DispatchRequest',
      'FileCredentialsOptions',
      'IdentityServerCredentialsOptions',
      'RedirectPolicy',
      'SignerOptions',
      'TargetOptions',
      'WimseInterceptor',
      'WorkloadFetch',
      'WorkloadFetchOptions',
    ],
  },
  'wimse-redis': {
    values: ['redisCallerMemory', 'redisReplayStore'],
    types: ['RedisCallerMemoryOptions', 'RedisClient', 'RedisReplayStoreOptions'],
  },
  'wimse-spiffe': {
    values: ['spiffeBundles', 'spiffeCredentials'],
    types: ['SpiffeBundlesOptions', 'SpiffeCredentialsOptions'],
  },
  'wimse-testkit': {
    values: [
      'createTestIdentityServer',
      'faults',
      'fixedClock',
      'generateTestKeyPair',
      'goodRequest',
      'privateKeyOf',
      'signedInject',
    ],
    types: [
      'Fault',
      'FixedClock',
      'GoodRequest',
      'InjectRequest',
      'Injectable',
      'IssueOptions',
      'SignedRequest',
      'TestIdentityServer',
      'TestKeyPair',
    ],
  },
}

describe('the door of', () => {
  const doors = readDoors(
    packages,
    packages.flatMap((member) => sources.get(member.name)!),
  )

  for (const name of packages.flatMap((member) => member.doors)) {
    const { undocumented, ...names } = doors.get(name)!

    it(`${name} lets out exactly the names listed here`, () => {
      expect(names).toEqual(DOORS[name])
    })

    it(`${name} lets out no name without a docstring`, () => {
      expect(undocumented).toEqual([])
    })
  }
})

/** A house with one package above another and nothing wrong; each control breaks one thing. */
const lower: Member = {
  folder: 'packages/lower',
  name: 'lower',
  dependencies: ['jose'],
  peers: [],
  doors: ['lower'],
}
const upper: Member = {
  folder: 'packages/upper',
  name: 'upper',
  dependencies: ['@scope/lower', 'lower'],
  peers: ['fastify'],
  doors: ['upper'],
}

/** What is wrong with a file at the root of the upper package. */
function stray(text: string): readonly string[] {
  const files = [
    { path: 'packages/upper/src/index.ts', text },
    { path: 'packages/upper/src/inner/part.ts', text: "export { x } from '../index.js'" },
  ]
  return strayImports(upper, files, [lower, upper]).map((line) =>
    line.replace('packages/upper/src/index.ts imports ', ''),
  )
}

function inCore(path: string, text: string): SourceFile {
  return { path: `packages/core/src/${path}`, text }
}

/** Three files in a row, and what the last one says. */
function row(last: string): readonly SourceFile[] {
  return [
    inCore('index.ts', "export { a } from './a.js'"),
    inCore('a.ts', "import { b } from './b.js'"),
    inCore('b.ts', "import { c } from './c.js'"),
    inCore('c.ts', last),
  ]
}

describe('an import checker', () => {
  it.each([
    "import { x } from 'lower'",
    "import { x } from '@scope/lower/part'",
    "import type { X } from 'fastify'",
    "declare module 'fastify' { interface X {} }",
    "import { x } from './inner/part.js'",
    "import { x } from 'node:crypto'",
    'declare global { interface X {} }',
  ])('has nothing against %s', (text) => {
    expect(stray(text)).toEqual([])
  })

  it.each([
    ["import { x } from 'jose'", 'jose: not a dependency of upper'],
    ["export * from 'jose'", 'jose: not a dependency of upper'],
    ["import type { X } from 'jose'", 'jose: not a dependency of upper'],
    ["type X = import('jose').JWK", 'jose: not a dependency of upper'],
    ["const x = await import('jose')", 'jose: not a dependency of upper'],
    ["const x = require('jose')", 'jose: not a dependency of upper'],
    ['const x = await import(name)', 'an expression: not a dependency of upper'],
    ["import { x } from '@scope/other'", '@scope/other: not a dependency of upper'],
    ["import { x } from 'fs'", 'fs: not a dependency of upper'],
    ["import Fastify from 'fastify'", 'fastify: a peer, for its types alone'],
    ["import { type X } from 'fastify'", 'fastify: a peer, for its types alone'],
    ["import { x } from 'lower/dist/index.js'", 'lower/dist/index.js: not a door'],
    [
      "import { x } from '../../lower/src/index.js'",
      '../../lower/src/index.js: not a file of packages/upper/src',
    ],
  ])('reports %s', (text, report) => {
    expect(stray(text)).toEqual([report])
  })

  it('lets a door of its own need a peer, and no file behind it', () => {
    const member: Member = { ...upper, doors: ['upper', 'upper/part'] }
    const needing = (path: string): readonly string[] =>
      strayImports(member, [{ path, text: "import { x } from 'fastify'" }], [member])
    expect(needing('packages/upper/src/part.ts')).toEqual([])
    expect(needing('packages/upper/src/index.ts')).toHaveLength(1)
    expect(needing('packages/upper/src/inner/part.ts')).toHaveLength(1)
  })

  it('reports a dependency that nothing imports', () => {
    expect(idleDependencies(lower, [{ path: 'packages/lower/src/index.ts', text: '' }])).toEqual(['jose'])
  })

  it.each([
    ['jws/compact-jws.ts', "import { hash } from 'node:crypto'", 'jws may not import node:crypto'],
    ['jws/compact-jws.ts', "import type { X } from '../errors.js'", 'jws may not import errors'],
    ['proof/audience.ts', "import { x } from './wpt.js'", 'proof/audience may not import proof'],
    ['proof/wpt.ts', "import { trustWit } from '../trust/wit.js'", 'proof may not import trust'],
    ['trust/wit.ts', "import type { X } from '../proof/wpt.js'", 'trust may not import proof'],
    ['errors.ts', "import { x } from './jws/base64url.js'", 'errors may not import jws'],
    ['replay/memory.ts', "import { connect } from 'node:net'", 'replay may not import node:net'],
    ['signing/issue-wit.ts', "import { fetch } from 'undici'", 'signing may not import undici'],
    [
      'signing/issue-wit.ts',
      "const keys = await fetch('https://a.example')",
      'signing may not import global:fetch',
    ],
    ['access/admit.ts', "import Fastify from 'fastify'", 'access may not import fastify'],
    ['jws/a.ts', "import x from '../b/c.js'", 'jws may not import packages/core/src/b/c.ts'],
  ])('reports that core/%s says %s', (path, text, report) => {
    expect(importsThroughWalls(CORE, [inCore(path, text)])).toEqual([expect.stringMatching(`: ${report}$`)])
  })

  it('takes a type where a type is allowed', () => {
    const typeOnly = inCore('proof/wpt.ts', "import type { TrustedWit } from '../trust/wit.js'")
    expect(importsThroughWalls(CORE, [typeOnly])).toEqual([])
  })

  it('reports a file that is in no room', () => {
    const lost = 'packages/core/src/lost/file.ts is in no room'
    expect(importsThroughWalls(CORE, [inCore('lost/file.ts', '')])).toEqual([lost])
  })

  it('reports a table that points upwards, for types too', () => {
    expect(arrowsPointingUp({ ...CORE, jws: ['type trust'] })).toEqual(['jws → type trust'])
  })

  it('reports a ring of files, and not one that is closed by types', () => {
    expect(filesInCycles(row("export * from './a.js'"))).toEqual(
      ['a.ts', 'b.ts', 'c.ts'].map((name) => `packages/core/src/${name}`),
    )
    expect(filesInCycles(row("import type { A } from './a.js'"))).toEqual([])
  })

  it('follows imports to what they need in the end', () => {
    const files = [
      inCore('jws/a.ts', "import { b } from './b.js'\nimport type { C } from '../crypto/c.js'"),
      inCore('jws/b.ts', "import { inspect } from 'node:util'"),
      inCore('crypto/c.ts', "import { hash } from 'node:crypto'"),
    ]
    expect(reachOf(['packages/core/src/jws/a.ts'], files)).toEqual(['node:util'])
  })
})

describe('a door reader', () => {
  it('tells values from types, looks through packages and misses docstrings', () => {
    const files: readonly SourceFile[] = [
      {
        path: 'packages/lower/src/index.ts',
        text: '/** A class. */\nexport class A {}\nexport const b = 1\n/** @see c */\nexport interface C {}',
      },
      {
        path: 'packages/upper/src/index.ts',
        text: "export { A, A as default, type A as OnlyType, b, type C } from 'lower'",
      },
    ]
    expect(readDoors([lower, upper], files)).toEqual(
      new Map<string, Door>([
        ['lower', { values: ['A', 'b'], types: ['C'], undocumented: ['C', 'b'] }],
        ['upper', { values: ['A', 'b', 'default'], types: ['C', 'OnlyType'], undocumented: ['C', 'b'] }],
      ]),
    )
  })
})
