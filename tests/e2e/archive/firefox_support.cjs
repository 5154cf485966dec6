// Playwright drives the stock Firefox by WebDriver BiDi. One of its commands is newer than Firefox ESR: to pretend that
// the user prefers a light or dark scheme. Nothing here needs it, so it is left out. NODE_OPTIONS loads this file.
const fs = require("node:fs");
const Module = require("node:module");

const load = Module._extensions[".js"];
const COMMAND = /await this\.(_browser\._browserSession|_session)\.send\("emulation\.setMediaFeaturesOverride", \{/g;

Module._extensions[".js"] = (module, filename) => {
  if (!filename.endsWith("coreBundle.js")) return load(module, filename);
  return module._compile(fs.readFileSync(filename, "utf8").replace(COMMAND, "void ({"), filename);
};
