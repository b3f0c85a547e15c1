import { createHash, createHmac } from 'node:crypto'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A signed request as a server sees it. */
export interface SignedRequest {
  readonly method: string
  /** Path and query as they were sent, percent-encoded. */
  readonly url: string
  /** Header values by lower-case name. */
  readonly headers: { readonly [name: string]: string }
}

/**
 * Signs a request by AWS Signature Version 4: HMAC chain over date, region and service; the text to sign is the hash of the
 * canonical request.
 *
 * Reference: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
export function signatureOf(
  { method, url, headers }: SignedRequest,
  signedHeaders: readonly string[],
  secret: string,
  region: string,
): string {
  const [path = '', query = ''] = url.split('?')
  const pairs = query.split('&').filter(Boolean)
  const canonicalQuery = pairs.map((pair) => (pair.includes('=') ? pair : `${pair}=`)).sort()
  const canonical = [
    method,
    path,
    canonicalQuery.join('&'),
    ...signedHeaders.map((name) => `${name}:${headers[name]?.trim()}`),
    '',
    signedHeaders.join(';'),
    headers['x-amz-content-sha256'],
  ].join('\n')
  const time = headers['x-amz-date']!
  const day = time.slice(0, 8)
  const scope = `${day}/${region}/s3/aws4_request`
  const text = ['AWS4-HMAC-SHA256', time, scope, createHash('sha256').update(canonical).digest('hex')].join('\n')
  const hmac = (key: string | Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest()
  const key = [region, 's3', 'aws4_request'].reduce(hmac, hmac(`AWS4${secret}`, day))
  return hmac(key, text).toString('hex')
}

/**
 * Stands before an S3 server and passes on only what is signed with the secret and whose body has the signed hash. It cuts
 * listings into pages of `pageSize`, with tokens that need escaping in XML and in addresses.
 */
export async function signatureGate(target: number, secret: string, region: string, pageSize: number) {
  const refused: string[] = []
  const server = createServer(async (incoming, answer) => {
    const body = Buffer.concat(await incoming.toArray())
    const problem = problemOf(incoming, body, secret, region)
    if (problem !== undefined) {
      refused.push(problem)
      answer.writeHead(403).end(`<Error><Code>${problem}</Code></Error>`)
      return
    }
    const { method, headers } = incoming
    const url = new URL(incoming.url!, `http://127.0.0.1:${target}`)
    const listing = url.searchParams.has('list-type')
    const token = url.searchParams.get('continuation-token')
    if (token !== null) {
      url.searchParams.delete('continuation-token')
      url.searchParams.set('start-after', token.slice(1, -1))
    }
    const passed = request(url, { method, headers }, async (from) => {
      const bytes = Buffer.concat(await from.toArray())
      const { 'content-length': _, 'transfer-encoding': __, ...kept } = from.headers
      if (!listing) answer.writeHead(from.statusCode!, from.headers).end(bytes)
      else answer.writeHead(from.statusCode!, kept).end(page(bytes.toString(), pageSize))
    })
    passed.end(body)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return { port: (server.address() as AddressInfo).port, refused, close: () => server.close() }
}

/** The first so many objects of a listing, and the token to go on with. */
function page(xml: string, size: number): string {
  const objects = xml.match(/<Contents>.*?<\/Contents>/gs) ?? []
  if (objects.length <= size) return xml
  const last = /<Key>(.*?)<\/Key>/.exec(objects[size - 1]!)![1]
  const token = `<NextContinuationToken>&lt;${last}&amp;</NextContinuationToken>`
  return `<ListBucketResult>${objects.slice(0, size).join('')}${token}</ListBucketResult>`
}

function problemOf({ method, url, headers }: IncomingMessage, body: Buffer, secret: string, region: string) {
  const parts = /SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(headers.authorization ?? '')
  if (!parts) return 'AccessDenied'
  const plain = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
  const expected = signatureOf({ method: method!, url: url!, headers: plain }, parts[1]!.split(';'), secret, region)
  if (expected !== parts[2]) return 'SignatureDoesNotMatch'
  const hash = createHash('sha256').update(body).digest('hex')
  return hash === headers['x-amz-content-sha256'] ? undefined : 'XAmzContentSHA256Mismatch'
}
