import { RegimenError } from '@regimen/core'
import type { AwsClient } from 'aws4fetch'
import { sha256 } from '../log.ts'
import type { BlobDriver, BlobEntry } from './driver.ts'

/** Where {@link s3Blobs} keeps its objects. */
export interface S3BlobsOptions {
  /** Address of the service, `https://s3.eu-central-1.amazonaws.com` for example; buckets are addressed by path. */
  endpoint: string
  /** It must exist. */
  bucket: string
  accessKeyId: string
  secretAccessKey: string
  /** @default none */
  sessionToken?: string
  /** @default 'us-east-1' */
  region?: string
  /** Goes before every name, to keep several stores in one bucket. @default 'blobs/' */
  prefix?: string
}

/**
 * Keeps blobs in S3 or any storage that speaks its protocol (MinIO, Ceph, R2), for stores that several machines share. Needs the
 * package `aws4fetch`, loaded on first use. An object appears whole or not at all, and is durable when the call returns, by the
 * service's own promise; the hash of what is sent is signed, so that nothing is altered on the way. Streams are buffered in memory; for files beyond that use `folderBlobs`.
 *
 * ```ts no-run
 * import { s3Blobs } from '@regimen/store'
 *
 * const blobs = s3Blobs({ endpoint: 'http://localhost:9000', bucket: 'models', accessKeyId: 'id', secretAccessKey: 'key' })
 * await blobs.read('0'.repeat(64)) // => undefined
 * ```
 *
 * Reference: https://docs.aws.amazon.com/AmazonS3/latest/API/
 */
export function s3Blobs(options: S3BlobsOptions): BlobDriver {
  const { endpoint, bucket, prefix = 'blobs/', region = 'us-east-1', ...credentials } = options
  const base = `${endpoint.replace(/\/+$/, '')}/${encodeURIComponent(bucket)}`
  const urlOf = (name: string): string => `${base}/${prefix}${name}`
  let opening: Promise<AwsClient> | undefined
  const send = async (url: string, init: Sent, allowed: readonly number[] = []): Promise<Response> => {
    opening ??= connect({ ...credentials, region, service: 's3' })
    let response: Response
    try {
      const headers = { ...init.headers, 'x-amz-content-sha256': sha256(init.body ?? '') }
      response = await (await opening).fetch(url, { ...init, headers } as RequestInit)
    } catch (error) {
      throw failed(`${init.method} ${url}: ${String(error)}`, error)
    }
    if (response.ok || allowed.includes(response.status)) return response
    throw failed(`${init.method} ${url}: status ${response.status}, ${(await response.text()).slice(0, 300)}`)
  }
  const stat = async (name: string): Promise<BlobEntry | undefined> => {
    const { status, headers } = await send(urlOf(name), { method: 'HEAD' }, [404])
    if (status === 404) return undefined
    const modified = Date.parse(headers.get('last-modified') ?? '')
    return { name, size: Number(headers.get('content-length')), modified }
  }
  const copy = async (from: string, to: string): Promise<void> => {
    const headers = {
      'x-amz-copy-source': `/${bucket}/${prefix}${from}`,
      // S3 refuses to copy an object onto itself unless its metadata are replaced.
      'x-amz-metadata-directive': 'REPLACE',
    }
    await send(urlOf(to), { method: 'PUT', headers }, [404])
  }
  const remove = async (name: string): Promise<void> => {
    await send(urlOf(name), { method: 'DELETE' }, [404])
  }
  return {
    name: 's3',
    async read(name) {
      const response = await send(urlOf(name), { method: 'GET' }, [404])
      const bytes = new Uint8Array(await response.arrayBuffer())
      return response.status === 404 ? undefined : bytes
    },
    write: async (name, bytes) => void (await send(urlOf(name), { method: 'PUT', body: bytes })),
    async *list() {
      let token: string | undefined
      do {
        const query = new URLSearchParams({ 'list-type': '2', prefix })
        if (token !== undefined) query.set('continuation-token', token)
        const text = await (await send(`${base}?${query}`, { method: 'GET' })).text()
        for (const [, item = ''] of text.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
          const name = field(item, 'Key').slice(prefix.length)
          if (!/^[0-9a-f]{64}$/.test(name)) continue
          yield { name, size: Number(field(item, 'Size')), modified: Date.parse(field(item, 'LastModified')) }
        }
        token = field(text, 'NextContinuationToken') || undefined
      } while (token !== undefined)
    },
    stat,
    remove,
    touch: (name) => copy(name, name),
    async quarantine(name) {
      await copy(name, `quarantine/${name}`)
      await remove(name)
    },
  }
}

/** A request before it is signed. */
interface Sent {
  readonly method: string
  readonly headers?: { readonly [name: string]: string }
  readonly body?: Uint8Array
}

/** A field of S3's flat XML; tokens may hold escaped characters. */
function field(xml: string, name: string): string {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? ''
  return text.replace(/&(amp|lt|gt|quot|apos);/g, (_, entity: string) => ENTITIES[entity]!)
}

const ENTITIES: { readonly [name: string]: string } = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

async function connect(config: ConstructorParameters<typeof AwsClient>[0]): Promise<AwsClient> {
  try {
    const { AwsClient: Client } = await import('aws4fetch')
    return new Client(config)
  } catch (cause) {
    throw new RegimenError('the package aws4fetch is not installed.', {
      code: 'MISSING_PACKAGE',
      where: 'store/s3-blobs',
      hint: 'Install it: npm install aws4fetch.',
      cause,
    })
  }
}

function failed(problem: string, cause?: unknown): RegimenError {
  return new RegimenError(`${problem}.`, {
    code: 'STORE_IO',
    where: 'store/s3-blobs',
    hint: 'What was committed before is intact; look at the cause.',
    ...(cause === undefined ? {} : { cause }),
  })
}
