import { existsSync, mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Where Chromium's packages put the driver file of SwiftShader, Vulkan in software. */
const DRIVERS = ['chromium', 'chromium-browser', 'chromium/swiftshader'].map((name) => `/usr/lib/${name}`)
const FILE = 'vk_swiftshader_icd.json'

/** A driver that was chosen before the tests began, or a card that the system finds by itself. */
function hasOwnDriver(): boolean {
  if (process.env.VK_DRIVER_FILES !== undefined || process.platform !== 'linux') return true
  const cards = existsSync('/dev/dri') ? readdirSync('/dev/dri').some((name) => name.startsWith('renderD')) : false
  return cards || existsSync('/dev/nvidia0')
}

/**
 * Points the Vulkan loader to SwiftShader where the machine has no card, so that tests of WebGPU run everywhere. Call it
 * before the first use of a card. Returns the driver's file; undefined where the machine's own driver is left alone or
 * none was found.
 */
export function useSoftwareVulkan(): string | undefined {
  process.env.XDG_RUNTIME_DIR ??= mkdtempSync(join(tmpdir(), 'regimen-runtime-'))
  if (hasOwnDriver()) return undefined
  const file = DRIVERS.map((folder) => join(folder, FILE)).find(existsSync)
  if (file === undefined) return undefined
  process.env.VK_DRIVER_FILES = file
  // Loaders before 1.3.207 know this name only.
  process.env.VK_ICD_FILENAMES = file
  return file
}

/** Adds to a test's name why it is skipped, where there is no card and no software that stands in for one. */
export function onGpu(name: string, adapter: boolean): string {
  return adapter ? name : `${name} (skipped: no WebGPU adapter here, install chromium and libvulkan1)`
}
