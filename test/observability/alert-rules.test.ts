import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { realParts } from '../machine.js'

const promtool = realParts.find(({ name }) => name === 'promtool')!.path
const guide = readFileSync(new URL('../../docs/observability.md', import.meta.url), 'utf8')
const rules = parse(/```yaml\n([\s\S]*?)```/.exec(guide)![1]!) as {
  groups: { rules: { alert: string; annotations: { summary: string } }[] }[]
}
const alerts = rules.groups.flatMap((group) => group.rules)

/** A series, and its values from the start, one a minute: what Prometheus scrapes by default. */
type Series = Readonly<Record<string, string>>

interface Rehearsal {
  /** Series that the rule is to fire upon. */
  readonly trouble: Series
  /** With these labels. */
  readonly labels: Readonly<Record<string, string>>
  /** Series that come near, and are nobody's trouble. */
  readonly quiet: Series
  /** When to look. Default after half an hour. */
  readonly at?: string
}

const replays = 'wimse_replay_claims_total'
const refreshes = 'wimse_trust_refreshes_total'
const verifications = 'wimse_verifications_total'
const claims = 'wimse_replay_claim_duration_bucket'
const trust_domain = 'wimse://example.com'

const REHEARSALS: Readonly<Record<string, Rehearsal>> = {
  WimseRefusals: {
    trouble: { [`${verifications}{outcome="refused",code="WIMSE_WPT_AUDIENCE"}`]: '0+12x60' },
    labels: { code: 'WIMSE_WPT_AUDIENCE' },
    quiet: {
      [`${verifications}{outcome="refused",code="WIMSE_WIT_MISSING"}`]: '0+600x60',
      [`${verifications}{outcome="refused",code="WIMSE_WPT_EXPIRED"}`]: '0+3x60',
      [`${verifications}{outcome="admitted"}`]: '0+600x60',
    },
  },
  WimseReplays: {
    trouble: { [`${replays}{answer="seen",trust_domain="${trust_domain}"}`]: '0+1x60' },
    labels: { trust_domain },
    quiet: {
      [`${replays}{answer="first",trust_domain="${trust_domain}"}`]: '0+600x60',
      // A single one, an hour ago.
      [`${replays}{answer="seen",trust_domain="${trust_domain}"}`]: '0 1 1x60',
    },
  },
  WimseReplayStoreDown: {
    trouble: { [`${replays}{answer="unavailable",trust_domain="${trust_domain}"}`]: '0+5x60' },
    labels: { answer: 'unavailable' },
    quiet: { [`${replays}{answer="first",trust_domain="${trust_domain}"}`]: '0+600x60' },
  },
  WimseReplayStoreSlow: {
    trouble: {
      [`${claims}{answer="first",le="0.1"}`]: '0+90x60',
      [`${claims}{answer="first",le="0.25"}`]: '0+100x60',
      [`${claims}{answer="first",le="+Inf"}`]: '0+100x60',
    },
    labels: {},
    quiet: {
      [`${claims}{answer="first",le="0.1"}`]: '0+100x60',
      [`${claims}{answer="first",le="+Inf"}`]: '0+100x60',
      [`${claims}{answer="unavailable",le="0.1"}`]: '0+0x60',
      [`${claims}{answer="unavailable",le="+Inf"}`]: '0+100x60',
    },
  },
  WimseTrustRefreshFails: {
    trouble: { [`${refreshes}{outcome="failed",trust_domain="${trust_domain}"}`]: '0+1x60' },
    labels: { trust_domain },
    quiet: {
      [`${refreshes}{outcome="failed",trust_domain="${trust_domain}"}`]: '0x20 1 1 2 2x60',
      [`${refreshes}{outcome="refreshed",trust_domain="${trust_domain}"}`]: '0+1x60',
    },
  },
  WimseTrustGone: {
    trouble: { [`${verifications}{outcome="unavailable",stage="trust"}`]: '0+5x60' },
    labels: {},
    quiet: { [`${verifications}{outcome="unavailable",stage="replay"}`]: '0+5x60' },
  },
  WimseKeyEntriesLeftOut: {
    // Read once, when the service started.
    trouble: { [`${refreshes}{outcome="left-out",trust_domain="${trust_domain}"}`]: '_x5 1x60' },
    labels: { trust_domain },
    quiet: { [`${refreshes}{outcome="refreshed",trust_domain="${trust_domain}"}`]: '_x5 1+1x60' },
  },
  WimseBearerShare: {
    trouble: {
      [`${verifications}{outcome="admitted",via="bearer"}`]: '0+10x600',
      [`${verifications}{outcome="admitted",via="wit"}`]: '0+90x600',
    },
    labels: {},
    quiet: {
      [`${verifications}{outcome="admitted",via="bearer"}`]: '0+1x600',
      [`${verifications}{outcome="admitted",via="wit"}`]: '0+99x600',
      [`${verifications}{outcome="refused",via="bearer"}`]: '0+90x600',
    },
    at: '8h',
  },
  WimseCannotSign: {
    trouble: {
      'wimse_signatures_total{outcome="refused",code="WIMSE_CREDENTIAL_EXPIRED",target="https://inventory.example.com"}':
        '0+1x60',
    },
    labels: { code: 'WIMSE_CREDENTIAL_EXPIRED', target: 'https://inventory.example.com' },
    quiet: { 'wimse_signatures_total{outcome="signed",target="https://inventory.example.com"}': '0+600x60' },
  },
}

describe.skipIf(promtool === null)('the rules for Prometheus in the guide', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'wimse-rules-'))
    writeFileSync(join(folder, 'rules.yml'), stringify(rules))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  /** What Prometheus itself makes of the rules, with these series. */
  function evaluated(alert: string, series: Series, at: string, expected: readonly object[]): string {
    const rehearsal = {
      rule_files: ['rules.yml'],
      evaluation_interval: '1m',
      tests: [
        {
          interval: '1m',
          input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
          alert_rule_test: [{ eval_time: at, alertname: alert, exp_alerts: expected }],
        },
      ],
    }
    writeFileSync(join(folder, 'rehearsal.yml'), stringify(rehearsal))
    const { stdout, stderr } = spawnSync(promtool!, ['test', 'rules', 'rehearsal.yml'], {
      cwd: folder,
      encoding: 'utf8',
    })
    return stdout + stderr
  }

  it('are rules', () => {
    const said = execFileSync(promtool!, ['check', 'rules', join(folder, 'rules.yml')], { encoding: 'utf8' })
    expect(said).toContain(`${alerts.length} rules found`)
  })

  it('are all rehearsed here', () => {
    expect(Object.keys(REHEARSALS)).toEqual(alerts.map(({ alert }) => alert))
  })

  it.each(alerts)('$alert fires, and says whom it is about', ({ alert, annotations }) => {
    const { trouble, labels, at = '30m' } = REHEARSALS[alert]!
    const summary = annotations.summary.replace(/\{\{ \$labels\.(\w+) \}\}/g, (_, label: string) => {
      return labels[label] ?? 'no such label'
    })
    const expected = [{ exp_labels: labels, exp_annotations: { summary } }]
    expect(evaluated(alert, trouble, at, expected)).toMatch(/SUCCESS\s*$/)
  })

  it.each(alerts)('$alert is silent where there is no trouble', ({ alert }) => {
    const { trouble, quiet, at = '30m' } = REHEARSALS[alert]!
    expect(evaluated(alert, quiet, at, [])).toMatch(/SUCCESS\s*$/)
    // Where there is, the same expectation fails.
    expect(evaluated(alert, trouble, at, [])).toContain('FAILED')
  })
})
