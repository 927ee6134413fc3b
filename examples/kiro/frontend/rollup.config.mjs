import { readFile, readdir } from "node:fs/promises";

import commonjs from "@rollup/plugin-commonjs";
import resolve from "@rollup/plugin-node-resolve";
import replace from "@rollup/plugin-replace";
import terser from "@rollup/plugin-terser";

const { version } = JSON.parse(await readFile(new URL("package.json", import.meta.url), "utf8"));
const watching = Boolean(process.env.ROLLUP_WATCH);

/** Puts the files of a folder beside the bundle, and watches them. */
function copy(folder) {
  return {
    name: "copy",
    async buildStart() {
      for (const name of await readdir(folder)) {
        const path = `${folder}/${name}`;
        this.addWatchFile(path);
        this.emitFile({ type: "asset", fileName: name, source: await readFile(path) });
      }
    },
  };
}

export default {
  input: "src/main.js",
  output: {
    file: "dist/app.js",
    format: "iife",
    sourcemap: true,
  },
  watch: { clearScreen: false },
  plugins: [
    replace({
      preventAssignment: true,
      values: {
        __API__: JSON.stringify(process.env.KIRO_API_BASE ?? ""),
        __VERSION__: JSON.stringify(version),
      },
    }),
    resolve({ browser: true }),
    commonjs(),
    copy("public"),
    !watching && terser(),
  ],
};
