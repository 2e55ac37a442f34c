import type { Attack, AttackTable } from './attack.js'
import { fieldsOf, get, goodWith, type Scene } from './scene.js'

type Issuer = 'identityServer' | 'partner' | 'spiffe'

/** Workloads that may, by the path of the route. */
const MAY: Readonly<Record<string, string>> = {
  '/shop': 'wimse://example.com/shop/cart',
  '/admin': 'wimse://example.com/admin',
}

/** A WIT that an identity server which is trusted for something signed for this subject. */
const subject = (
  name: string,
  answer: string,
  sub: unknown,
  target = '/stock',
  by: Issuer = 'identityServer',
): Attack => ({
  name,
  answer,
  request: async (scene: Scene) =>
    get(
      fieldsOf(
        await scene.tokens(
          { witClaims: { sub }, wptClaims: { aud: `https://inventory.example.com${target}` } },
          scene[by],
        ),
      ),
      target,
    ),
  controls: [
    goodWith({ witClaims: { sub: MAY[target] ?? 'wimse://example.com/caller' } }, target),
    async (scene) => get(fieldsOf(await scene.tokens({}, scene[by]))),
  ],
})

const SUBJECT = 'WIMSE_WIT_SUBJECT'
const DOMAIN = 'WIMSE_WIT_TRUST_DOMAIN'
const FORBIDDEN = 'WIMSE_WORKLOAD_FORBIDDEN'

const attacks: readonly Attack[] = [
  subject('no subject', SUBJECT, undefined),
  subject('an empty subject', SUBJECT, ''),
  subject('a list of subjects', SUBJECT, ['wimse://example.com/a', 'wimse://example.com/admin']),
  subject('a subject that is an object', SUBJECT, { id: 'wimse://example.com/a' }),
  subject('a letter of another script', SUBJECT, 'wimse://ex\u0430mple.com/caller'),
  subject('a letter of another script in the path', SUBJECT, 'wimse://example.com/\u0430dmin'),
  subject('letters that are wide', SUBJECT, 'wimse://example.com/\uff41dmin'),
  subject('a wide dot in the trust domain', SUBJECT, 'wimse://example\uff0ecom/caller'),
  subject('a letter that combines', SUBJECT, 'wimse://example.com/cafe\u0301'),
  subject('a space of no width', SUBJECT, 'wimse://example.com/ad\u200bmin'),
  subject('a change of direction', SUBJECT, 'wimse://example.com/\u202enimda'),
  subject('an upper-case scheme', SUBJECT, 'WIMSE://example.com/caller'),
  subject('an upper-case trust domain', SUBJECT, 'wimse://EXAMPLE.com/caller'),
  subject('the letter that lower case maps to k', SUBJECT, 'wimse://example.com/\u212aey'),
  subject('a trust domain with a dot at its end', SUBJECT, 'wimse://example.com./caller'),
  subject('a trust domain with a dot in front', SUBJECT, 'wimse://.example.com/caller'),
  subject('a trust domain with two dots', SUBJECT, 'wimse://example..com/caller'),
  subject('a user in front of the trust domain', SUBJECT, 'wimse://example.com@evil.example/caller'),
  subject('an empty user', SUBJECT, 'wimse://@example.com/caller'),
  subject('a user and a secret', SUBJECT, 'wimse://a:b@example.com/caller'),
  subject('a port', SUBJECT, 'wimse://example.com:443/caller'),
  subject('an empty port', SUBJECT, 'wimse://example.com:/caller'),
  subject('an address for a trust domain', SUBJECT, 'wimse://127.0.0.1/caller'),
  subject('an address in one number', SUBJECT, 'wimse://2130706433/caller'),
  subject('an IPv6 address for a trust domain', SUBJECT, 'wimse://[::1]/caller'),
  subject('an escape in the trust domain', SUBJECT, 'wimse://example%2ecom/caller'),
  subject('a backslash for a slash', SUBJECT, 'wimse:\\\\example.com\\caller'),
  subject('a backslash behind the trust domain', SUBJECT, 'wimse://example.com\\@evil.example/caller'),
  subject('three slashes', SUBJECT, 'wimse:///example.com/caller'),
  subject('one slash', SUBJECT, 'wimse:/example.com/caller'),
  subject('no scheme', SUBJECT, '//example.com/caller'),
  subject('a line break', SUBJECT, 'wimse://example.com/caller\n'),
  subject('a tab in the scheme', SUBJECT, 'wim\tse://example.com/caller'),
  subject('a space in front', SUBJECT, ' wimse://example.com/caller'),
  subject('NUL', SUBJECT, 'wimse://example.com/admin\0'),
  subject('a query', SUBJECT, 'wimse://example.com/admin?x'),
  subject('a fragment', SUBJECT, 'wimse://example.com/admin#x'),
  subject('a dot segment', SUBJECT, 'wimse://example.com/shop/../admin'),
  subject('an escaped dot segment', SUBJECT, 'wimse://example.com/shop/%2e%2e/admin'),
  subject('a segment of one dot', SUBJECT, 'wimse://example.com/./admin'),
  subject('two slashes in the path', SUBJECT, 'wimse://example.com//admin'),
  subject('a slash at the end', SUBJECT, 'wimse://example.com/admin/'),
  subject('an escape that is needless', SUBJECT, 'wimse://example.com/%61dmin'),
  subject('an escape in lower case', SUBJECT, 'wimse://example.com/a%2fb'),
  subject('an escape cut short', SUBJECT, 'wimse://example.com/admin%2'),
  subject('a subject of 3000 characters', SUBJECT, `wimse://example.com/${'a'.repeat(3000)}`),
  subject('a label of 64 characters', SUBJECT, `wimse://${'a'.repeat(64)}.com/a`),
  subject('a percent-encoded SPIFFE ID', SUBJECT, 'spiffe://example.com/%61', '/stock', 'spiffe'),
  subject('another scheme', DOMAIN, 'https://example.com/caller'),
  subject('a trust domain nobody trusts', DOMAIN, 'wimse://evil.example/caller'),
  subject('a trust domain that ends like ours', DOMAIN, 'wimse://evil-example.com/caller'),
  subject('a trust domain that begins like ours', DOMAIN, 'wimse://example.com.evil.example/caller'),
  subject('a trust domain one letter longer', DOMAIN, 'wimse://example.comm/caller'),
  subject('a trust domain below ours', DOMAIN, 'wimse://sub.example.com/caller'),
  subject('a trust domain above ours', DOMAIN, 'wimse://com/caller'),
  subject('the trust domain in punycode', DOMAIN, 'wimse://xn--exmple-4nf.com/caller'),
  subject('an inherited name for a trust domain', DOMAIN, 'wimse://constructor/caller'),
  subject('a workload of the partner', 'WIMSE_WIT_KEY', 'wimse://partner.example/caller'),
  subject(
    'a workload of ours by the partner',
    'WIMSE_WIT_KEY',
    'wimse://example.com/caller',
    '/stock',
    'partner',
  ),
  subject('the same name in another scheme', 'WIMSE_WIT_KEY', 'spiffe://example.com/caller'),
  subject(
    'the same name in another scheme, the other way',
    'WIMSE_WIT_KEY',
    'wimse://example.com/caller',
    '/stock',
    'spiffe',
  ),
  subject('a sibling with the name as a prefix', FORBIDDEN, 'wimse://example.com/shopping', '/shop'),
  subject('a sibling with a dash', FORBIDDEN, 'wimse://example.com/shop-admin', '/shop'),
  subject('the parent of those who may', FORBIDDEN, 'wimse://example.com', '/shop'),
  subject('an escaped slash below those who may', FORBIDDEN, 'wimse://example.com/shop%2Fcart', '/shop'),
  subject(
    'the path of those who may in another trust domain',
    FORBIDDEN,
    'wimse://partner.example/shop/cart',
    '/shop',
    'partner',
  ),
  subject(
    'the path of those who may in another scheme',
    FORBIDDEN,
    'spiffe://example.com/shop',
    '/shop',
    'spiffe',
  ),
  subject('the name in another case', FORBIDDEN, 'wimse://example.com/Admin', '/admin'),
  subject('the name and more', FORBIDDEN, 'wimse://example.com/admin/x', '/admin'),
  subject('the name but its end', FORBIDDEN, 'wimse://example.com/admi', '/admin'),
  subject(
    'the name in another trust domain',
    FORBIDDEN,
    'wimse://partner.example/admin',
    '/admin',
    'partner',
  ),
]

export const lookAlikes: AttackTable = { name: 'identities that look alike', attacks }
