// Run the scripts of a page in Node: what stands in its `engine` and `worker`, then a body that is given a value.
//
//   node in_node.js PAGE BODY < GIVEN.json     prints what the body returns, as JSON
const { readFileSync } = require("node:fs");
const vm = require("node:vm");

const [page, body] = process.argv.slice(2);
const text = readFileSync(page, "utf-8");
const script = (id) => new RegExp(`<script[^>]* id="${id}">([^]*?)</script>`).exec(text)[1];
globalThis.pageData = (id) => script(id).trim();
for (const id of ["engine", "worker"]) vm.runInThisContext(script(id), { filename: `${id}.js` });
const run = vm.runInThisContext(`(async (given, require) => {${body}\n})`, { filename: "body.js" });
run(JSON.parse(readFileSync(0, "utf-8")), require).then((found) =>
  process.stdout.write(JSON.stringify(found ?? null)),
);
