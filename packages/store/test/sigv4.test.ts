import { expect, it } from 'vitest'
import { type SignedRequest, signatureOf } from './sigv4.ts'

// The worked examples of AWS's own documentation: "Signature Calculations for the Authorization Header: Transferring Payload in
// a Single Chunk". Everything that the S3 driver sends in the contract suite passes a gate that signs with this function.
const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const base = { host: 'examplebucket.s3.amazonaws.com', 'x-amz-date': '20130524T000000Z' }

it.each<[string, SignedRequest, string]>([
  [
    'GET of an object, with a range',
    { method: 'GET', url: '/test.txt', headers: { ...base, range: 'bytes=0-9', 'x-amz-content-sha256': EMPTY } },
    'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  ],
  [
    'PUT of an object, with an encoded name',
    {
      method: 'PUT',
      url: '/test%24file.text',
      headers: {
        ...base,
        date: 'Fri, 24 May 2013 00:00:00 GMT',
        'x-amz-content-sha256': '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
        'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      },
    },
    '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  ],
  [
    'GET of a configuration, with a query that has no value',
    { method: 'GET', url: '/?lifecycle', headers: { ...base, 'x-amz-content-sha256': EMPTY } },
    'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  ],
  [
    'GET of a listing',
    { method: 'GET', url: '/?max-keys=2&prefix=J', headers: { ...base, 'x-amz-content-sha256': EMPTY } },
    '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  ],
])('signs as AWS does: %s', (_, request, signature) => {
  expect(signatureOf(request, Object.keys(request.headers).sort(), SECRET, 'us-east-1')).toBe(signature)
})
