import { defineConfig } from 'vite'

export default defineConfig({
  build: {
    outDir: '../dist/page',
    emptyOutDir: true,
    target: 'es2023',
    // The content security policy has no data: in it.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
})
