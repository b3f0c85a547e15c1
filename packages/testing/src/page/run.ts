// The list of test files, which the build fills in.
import { files, prepare } from 'virtual:suite'
import { startTests, type Task, type VitestRunner } from '@vitest/runner'

/** How one test went. */
export interface PageTest {
  readonly name: string
  readonly state: 'pass' | 'fail' | 'skip'
  readonly message?: string
}

/** What a page says when its file is done. */
export interface PageAnswer {
  readonly tests: readonly PageTest[]
  /** What was prepared: the backend, for example. */
  readonly on: string
  /** Why the file did not load. */
  readonly error?: string
}

const query = new URLSearchParams(location.search)
const file = query.get('file')!

const runner: VitestRunner = {
  config: {
    root: '/',
    setupFiles: [],
    name: undefined,
    passWithNoTests: false,
    testNamePattern: query.get('only') ? new RegExp(query.get('only')!) : undefined,
    allowOnly: false,
    sequence: { seed: 1, hooks: 'stack', setupFiles: 'list' },
    chaiConfig: undefined,
    maxConcurrency: 1,
    testTimeout: 180_000,
    hookTimeout: 180_000,
    retry: 0,
    includeTaskLocation: false,
    tags: [],
    tagsFilter: undefined,
    strictTags: false,
  },
  importFile: (path) => files[path.replace(/^\//, '')]!(),
}

function testsOf(task: Task, before: string): PageTest[] {
  const name = before === '' ? task.name : `${before} > ${task.name}`
  if (task.type === 'suite') {
    const broken = task.result?.state === 'fail' && task.tasks.every(({ result }) => result?.state !== 'fail')
    const own = broken ? [{ name, state: 'fail' as const, message: messageOf(task) }] : []
    return [...own, ...task.tasks.flatMap((inner) => testsOf(inner, name))]
  }
  if (task.result?.state === 'pass') return [{ name, state: 'pass' }]
  return task.result?.state === 'fail' ? [{ name, state: 'fail', message: messageOf(task) }] : [{ name, state: 'skip' }]
}

function messageOf(task: Task): string {
  return (task.result?.errors ?? [])
    .map(({ message, stack }) => `${message}\n${(stack ?? '').split('\n').slice(1, 4).join('\n')}`)
    .join('\n')
}

async function answer(): Promise<PageAnswer> {
  const on = await prepare(query.get('device') ?? '')
  const [ran] = await startTests([`/${file}`], runner)
  const failedToLoad = ran!.result?.state === 'fail' && ran!.tasks.length === 0
  return {
    on,
    tests: ran!.tasks.flatMap((task) => testsOf(task, '')),
    ...(failedToLoad ? { error: messageOf(ran!) } : {}),
  }
}

declare global {
  interface Window {
    answer?: PageAnswer
  }
}

answer()
  .catch((error: Error): PageAnswer => ({ on: '', tests: [], error: String(error.stack ?? error) }))
  .then((done) => {
    window.answer = done
  })
