import { defineConfig } from "vite";

// The page is served by the gateway from its own folder, so every address in it is relative.
export default defineConfig({
  base: "./",
  build: {
    outDir: "../gateway/page",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    target: "es2022",
  },
  server: {
    // `npx vite` while working on the page: the API is that of a monitor running on this machine.
    proxy: { "/api": { target: "http://127.0.0.1:8731", ws: true } },
  },
});
