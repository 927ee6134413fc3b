// Bundles on every change and serves the result; see serve.js for the settings.

import { spawn } from "node:child_process";

// rollup stops watching when its input ends: the pipe is open as long as this script lives.
const rollup = spawn("rollup", ["-c", "-w"], { stdio: ["pipe", "inherit", "inherit"] });
rollup.on("error", (error) => {
  console.error(`cannot start rollup (${error.message}): run this with \`npm run dev\``);
  process.exit(1);
});
rollup.on("exit", (code) => process.exit(code ?? 1));

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => rollup.kill(signal));
}

await import("./serve.js");
