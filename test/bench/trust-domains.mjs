// What do ten thousand configured trust domains cost at start, in time and memory, and per request?
// Run after `npm run setup` and a build: npm run bench:trust
import { createServer } from 'node:http'
import { createAuthenticator, signRequest } from 'wimse'
import { createTestIdentityServer, generateTestKeyPair } from 'wimse-testkit'
import { title } from './measure.mjs'

const DOMAINS = 10_000
const ORIGIN = 'https://inventory.example.com'
const settle = () => new Promise((resolve) => setTimeout(resolve, 100))
const memory = async () => {
  for (let round = 0; round < 3; round++) {
    globalThis.gc?.()
    await settle()
  }
  const { rss, heapUsed } = process.memoryUsage()
  return { rss: rss / 2 ** 20, heap: heapUsed / 2 ** 20 }
}

title()

const identityServer = createTestIdentityServer({ origin: 'wimse://d0.example' })
const keySets = Array.from({ length: DOMAINS }, (_, index) =>
  index === 0
    ? identityServer.jwks
    : { keys: [{ ...generateTestKeyPair('ES256').publicJwk, kid: `k${index}` }] },
)
const credential = await identityServer.issue({ subject: '/caller' })

async function measure(what, count, optionsFor) {
  const before = await memory()
  const start = performance.now()
  const authenticator = createAuthenticator({
    audience: ORIGIN,
    trustDomains: Object.fromEntries(
      Array.from({ length: count }, (_, index) => [`wimse://d${index}.example`, optionsFor(index)]),
    ),
  })
  const created = performance.now() - start
  await authenticator.ready().catch(() => undefined)
  const ready = performance.now() - start
  while (!(await authenticator.isReady())) await settle()
  const complete = performance.now() - start
  const after = await memory()
  const requests = 3000
  const signed = Array.from({ length: requests }, () => signRequest(credential, { url: `${ORIGIN}/` }))
  const from = process.cpuUsage()
  for (const headers of signed) {
    await authenticator.authenticate({
      wit: headers['Workload-Identity-Token'],
      wpt: headers['Workload-Proof-Token'],
      path: '/',
    })
  }
  const { user, system } = process.cpuUsage(from)
  await authenticator.close()
  return {
    what,
    'created ms': Math.round(created),
    'ready() ms': Math.round(ready),
    'all keys ms': Math.round(complete),
    'heap MB': Math.round(after.heap - before.heap),
    'rss MB': Math.round(after.rss - before.rss),
    'µs cpu a request': Math.round((user + system) / requests),
  }
}

let fetches = 0
const issuer = createServer((request, response) => {
  fetches++
  response.end(JSON.stringify(keySets[Number(request.url.slice(1))]))
})
await new Promise((resolve) => issuer.listen(0, '127.0.0.1', resolve))
const { port } = issuer.address()

const rows = [
  await measure('1 trust domain, jwks', 1, (index) => ({ jwks: keySets[index] })),
  await measure(`${DOMAINS} trust domains, jwks`, DOMAINS, (index) => ({ jwks: keySets[index] })),
  await measure(`${DOMAINS} trust domains, jwksUri`, DOMAINS, (index) => ({
    jwksUri: `http://127.0.0.1:${port}/${index}`,
    timeoutMs: 30_000,
  })),
]
console.log(`| ${Object.keys(rows[0]).join(' | ')} |`)
console.log(`| --- |${' ---: |'.repeat(Object.keys(rows[0]).length - 1)}`)
for (const row of rows) console.log(`| ${Object.values(row).join(' | ')} |`)
console.log(`\n${fetches} fetches for ${DOMAINS} jwksUri\n`)
issuer.close()
