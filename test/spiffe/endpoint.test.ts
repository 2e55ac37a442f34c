import { afterEach, describe, expect, it, vi } from 'vitest'
import { spiffeBundles, spiffeCredentials } from 'wimse-spiffe'
import { readEndpoint } from '../../packages/spiffe/src/endpoint.js'
import { startWorkloadApi } from './workload-api-server.js'

describe('an endpoint', () => {
  for (const [endpoint, target, allowInsecure] of [
    ['unix:///run/spire/agent.sock', 'unix:///run/spire/agent.sock'],
    ['unix:/run/spire/agent.sock', 'unix:///run/spire/agent.sock'],
    ['unix:///run/a%20b/agent.sock', 'unix:///run/a b/agent.sock'],
    ['tcp://127.0.0.1:8081', 'ipv4:127.0.0.1:8081'],
    ['tcp://127.8.9.10:65535', 'ipv4:127.8.9.10:65535'],
    ['tcp://[::1]:8081', 'ipv6:[::1]:8081'],
    ['tcp://192.0.2.1:8081', 'ipv4:192.0.2.1:8081', true],
    ['tcp://[2001:db8::1]:8081', 'ipv6:[2001:db8::1]:8081', true],
  ] as const) {
    it(`is ${endpoint}${allowInsecure === true ? ', where it was allowed' : ''}`, () => {
      expect(readEndpoint(endpoint, allowInsecure).target).toBe(target)
    })
  }

  for (const [endpoint, because] of [
    ['/run/spire/agent.sock', 'must be unix:///path'],
    ['http://127.0.0.1:8081', 'must be unix:///path'],
    ['UNIX:///run/agent.sock', 'must be unix:///path'],
    [' unix:///run/agent.sock', 'must be unix:///path'],
    ['unix:///run/agent.sock\n', 'must be unix:///path'],
    ['unix:///run/a b', 'must be unix:///path'],
    ['unix:///run/%zz', 'must be unix:///path'],
    ['unix:///run/%ff', 'has a path that cannot be read'],
    ['unix:///run/%00', 'has a path that cannot be read'],
    ['unix://run/agent.sock', 'must not have an authority'],
    ['unix://user@/run/agent.sock', 'must not have an authority'],
    ['unix:run/agent.sock', 'must have an absolute path'],
    ['unix:///', 'must have an absolute path'],
    ['unix://', 'must have an absolute path'],
    ['unix:///run/agent.sock?a', 'must have neither query nor fragment'],
    ['unix:///run/agent.sock#a', 'must have neither query nor fragment'],
    ['tcp://127.0.0.1:8081?', 'must have neither query nor fragment'],
    ['tcp://127.0.0.1:8081#', 'must have neither query nor fragment'],
    ['tcp://user@127.0.0.1:8081', 'must not have user information'],
    ['tcp://127.0.0.1:8081/', 'must not have a path'],
    ['tcp:127.0.0.1:8081', 'must not have a path'],
    ['tcp://localhost:8081', 'must be an IP address and a port'],
    ['tcp://127.0.0.1', 'must be an IP address and a port'],
    ['tcp://127.0.0.1:', 'must be an IP address and a port'],
    ['tcp://127.0.0.1:0', 'must be an IP address and a port'],
    ['tcp://127.0.0.1:65536', 'must be an IP address and a port'],
    ['tcp://127.1:8081', 'must be an IP address and a port'],
    ['tcp://0177.0.0.1:8081', 'must be an IP address and a port'],
    ['tcp://::1:8081', 'must be an IP address and a port'],
    ['tcp://[127.0.0.1]:8081', 'must be an IP address and a port'],
    ['tcp://[::1%25lo]:8081', 'must be an IP address and a port'],
    ['tcp://192.0.2.1:8081', 'must be on loopback'],
    ['tcp://0.0.0.0:8081', 'must be on loopback'],
    ['tcp://[::ffff:127.0.0.1]:8081', 'must be on loopback'],
  ] as const) {
    it(`is not ${JSON.stringify(endpoint)}`, () => {
      for (const read of [spiffeCredentials, spiffeBundles]) {
        expect(() => read({ endpoint })).toThrow(
          expect.objectContaining({
            name: 'TypeError',
            message: expect.stringContaining(`option endpoint ${because}`),
          }),
        )
      }
    })
  }

  for (const endpoint of [7, null, {}, ['unix:///run/agent.sock']]) {
    it(`is not ${JSON.stringify(endpoint)}`, () => {
      expect(() => readEndpoint(endpoint)).toThrow('option endpoint')
    })
  }
})

describe('without an endpoint', () => {
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  it('the environment has it', async () => {
    const api = await startWorkloadApi({ tcp: true })
    api.publish({ 'spiffe://example.org': { keys: [] } })
    vi.stubEnv('SPIFFE_ENDPOINT_SOCKET', api.endpoint)
    const source = spiffeBundles()
    expect((await source.bundleFor('spiffe://example.org')).keys).toEqual([])
    await source.close!()
    await api.stop()
  })

  it('the environment has proxies for others', async () => {
    for (const name of ['grpc_proxy', 'https_proxy', 'http_proxy']) vi.stubEnv(name, 'http://127.0.0.1:1')
    for (const name of ['no_grpc_proxy', 'no_proxy']) vi.stubEnv(name, undefined)
    const api = await startWorkloadApi({ tcp: true })
    api.publish({ 'spiffe://example.org': { keys: [] } })
    const source = spiffeBundles({ endpoint: api.endpoint, timeoutMs: 2000 })
    expect((await source.bundleFor('spiffe://example.org')).keys).toEqual([])
    await source.close!()
    await api.stop()
  })

  for (const value of [undefined, '']) {
    it(`the environment has to have it, and not ${JSON.stringify(value)}`, () => {
      vi.stubEnv('SPIFFE_ENDPOINT_SOCKET', value)
      expect(() => spiffeCredentials()).toThrow(/option endpoint is required .* SPIFFE_ENDPOINT_SOCKET/)
    })
  }

  it('a wrong one in the environment is named by its variable', () => {
    vi.stubEnv('SPIFFE_ENDPOINT_SOCKET', 'tcp://localhost:8081')
    expect(() => spiffeCredentials()).toThrow(/^SPIFFE_ENDPOINT_SOCKET must be an IP address/)
  })
})
