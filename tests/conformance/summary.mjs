// Holds what the suite found against what is left out, and says in short what came of each revision.
// node summary.mjs LEFT_OUT REQUIREMENTS OUT REVISION…
import { readFileSync, readdirSync, existsSync } from "node:fs";
import { join } from "node:path";

const [leftOutFile, requirements, out, ...revisions] = process.argv.slice(2);

// `SCENARIO: reason` or `SCENARIO/CHECK: reason`.
const leftOut = new Map();
for (const line of readFileSync(leftOutFile, "utf8").split("\n")) {
  if (line === "" || line.startsWith("#")) continue;
  const at = line.indexOf(": ");
  if (at < 1 || leftOut.has(line.slice(0, at))) throw new Error(`${leftOutFile}: ${line}`);
  leftOut.set(line.slice(0, at), { reason: line.slice(at + 2), isUsed: false });
}

// The scored scenarios of a server: the items of `server:` in the file of the revision.
function scored(revision) {
  const names = [];
  let inServer = false;
  for (const line of readFileSync(join(requirements, `${revision}.yaml`), "utf8").split("\n")) {
    if (/^\S/.test(line) && !line.startsWith("#")) inServer = line.startsWith("server:");
    const item = /^\s+- ([a-z0-9-]+)$/.exec(line);
    if (inServer && item) names.push(item[1]);
  }
  if (names.length === 0) throw new Error(`no scenarios of ${revision}`);
  return names;
}

let failures = 0;
for (const revision of revisions) {
  const folder = join(out, revision);
  const found = readdirSync(folder).filter((name) => existsSync(join(folder, name, "checks.json")));
  const count = { green: 0, left: 0, failed: 0 };
  const lines = [];
  for (const scenario of scored(revision)) {
    const run = found.find((name) => new RegExp(`^server-${scenario}-\\d{4}-\\d\\d-\\d\\d`).test(name));
    const checks = run ? JSON.parse(readFileSync(join(folder, run, "checks.json"), "utf8")) : [];
    const bad = checks.filter((check) => check.status === "FAILURE");
    const excused = (check) => {
      const entry = leftOut.get(scenario) ?? leftOut.get(`${scenario}/${check}`);
      if (entry) entry.isUsed = true;
      return entry !== undefined;
    };
    const open = bad.filter((check) => !excused(check.id));
    if (checks.length === 0) open.push({ id: "", errorMessage: "the suite says nothing of it" });
    if (open.length > 0) {
      count.failed += 1;
      for (const check of open) lines.push(`  FAILED ${scenario} ${check.id}: ${check.errorMessage ?? check.description}`);
    } else if (bad.length > 0) {
      count.left += 1;
    } else {
      count.green += 1;
    }
    for (const check of checks.filter((check) => check.status === "WARNING")) {
      lines.push(`  warning ${scenario} ${check.id}: ${check.errorMessage ?? check.description}`);
    }
  }
  console.log(`${revision}: ${count.green} green, ${count.left} left out, ${count.failed} failed`);
  for (const line of lines) console.log(line);
  failures += count.failed;
}
for (const [name, entry] of leftOut) {
  if (entry.isUsed) continue;
  console.log(`${leftOutFile}: nothing fails of ${name}; take the line out`);
  failures += 1;
}
process.exit(failures === 0 ? 0 : 1);
