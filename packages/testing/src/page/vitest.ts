import {
  ASYMMETRIC_MATCHERS_OBJECT,
  addCustomEqualityTesters,
  chai,
  customMatchers,
  type ExpectStatic,
  GLOBAL_EXPECT,
  getState,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
  setState,
} from '@vitest/expect'
import { getCurrentTest } from '@vitest/runner'

// What test files import as `vitest` when they run in a page: vitest's own runner and matchers, without its server.

export { afterAll, afterEach, beforeAll, beforeEach, describe, it, test } from '@vitest/runner'

chai.use(JestExtend)
chai.use(JestChaiExpect)
chai.use(JestAsymmetricMatchers)

type Matchers = Record<symbol, object>

const call = (value: unknown, message?: string): unknown => {
  const assertion = chai.expect(value, message) as unknown as { withTest(test: unknown): unknown }
  const test = getCurrentTest()
  return test ? assertion.withTest(test) : assertion
}

/** vitest's `expect`, without snapshots. */
export const expect = Object.assign(
  call,
  chai.expect,
  (globalThis as unknown as Matchers)[ASYMMETRIC_MATCHERS_OBJECT],
  {
    addEqualityTesters: addCustomEqualityTesters,
    poll: () => {
      throw new Error('expect.poll is not offered in a page.')
    },
  },
) as unknown as ExpectStatic
setState({ assertionCalls: 0 }, expect)
Object.defineProperty(globalThis, GLOBAL_EXPECT, { value: expect, configurable: true })
expect.getState = () => getState(expect)
expect.setState = (state) => setState(state, expect)
expect.extend = (matchers) =>
  (chai.expect as unknown as { extend(to: ExpectStatic, matchers: object): void }).extend(expect, matchers)
expect.extend(customMatchers)

/** Types are checked by the compiler; here any chain of assertions on them holds. */
export const expectTypeOf: unknown = new Proxy(() => {}, { get: () => expectTypeOf, apply: () => expectTypeOf })
