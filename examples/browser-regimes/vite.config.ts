import { defineConfig } from 'vite'

export default defineConfig({
  // Relative paths: the built folder can be served from anywhere.
  base: './',
  build: { target: 'esnext', chunkSizeWarningLimit: 4000 },
})
