import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

/**
 * The page is built once and served by every node under /ui. Nothing in it comes from another host,
 * and nothing is inlined, so that the strictest content security policy lets it in.
 */
export default defineConfig({
  root: 'ui',
  base: '/ui/',
  plugins: [svelte()],
  build: {
    outDir: '../dist/site',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  // For work on the page itself: `npm run dev` beside a cluster of `shoal dev`.
  server: { proxy: { '^/(v1|metrics|healthz)': 'http://127.0.0.1:4100' } },
})
