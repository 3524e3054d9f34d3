#!/usr/bin/env node
// What a reader sees in a panel: by Grafana's own library, from frames and the panel as it is provisioned.
//
// Takes {name: {frames, panel}} as JSON on the standard input and writes {name: [{column: text, ...}, ...]}: a row of
// a table, or a number of a stat panel as {title, text}.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const data = require("@grafana/data");

// What it expects of a browser.
globalThis.window = { __grafanaSceneContext: {} };
globalThis.navigator ??= { language: "en-US", languages: ["en-US"] };

const theme = data.createTheme();

// In names of lines: `${__field.labels.server}`. Everything else stands in links, which nobody sees.
function filledIn(text, scope) {
  return text.replace(/\$\{__field\.labels\.(\w+)\}/g, (_, label) => scope.__dataContext.value.field.labels[label]);
}

const transformers = new Map(Object.values(data.standardTransformers).map((one) => [one.id, one])); // some have two names
data.standardTransformersRegistry.setInit(() =>
  [...transformers.values()].map((one) => ({ id: one.id, name: one.name, transformation: () => one })),
);

// The properties that our panels set; Grafana's editor adds the same with what is needed to edit them.
const properties = ["unit", "min", "max", "decimals", "displayName", "noValue", "thresholds", "mappings", "color"];
data.standardFieldConfigEditorRegistry.setInit(() =>
  properties.map((id) => ({
    id,
    path: id,
    name: id,
    editor: () => null,
    override: () => null,
    process: id === "displayName" ? data.displayNameOverrideProcessor : data.identityOverrideProcessor,
    shouldApply: () => true,
  })),
);

function frame(given) {
  return data.toDataFrame({
    refId: given.refId,
    fields: given.fields.map((field) => ({ config: {}, ...field })),
  });
}

function transformed(frames, transformations) {
  return new Promise((resolve, reject) => {
    const context = { interpolate: (text) => text };
    data.transformDataFrame(transformations, frames, context).subscribe({ next: resolve, error: reject });
  });
}

async function shown({ frames, panel }) {
  const taken = await transformed(frames.map(frame), panel.transformations);
  const settings = { fieldConfig: panel.fieldConfig, replaceVariables: filledIn, theme, timeZone: "utc" };
  const done = data.applyFieldOverrides({ ...settings, data: taken });
  if (panel.type === "table") return done.flatMap((one) => rows(one, done));
  const { reduceOptions } = panel.options;
  const values = data.getFieldDisplayValues({ ...settings, reduceOptions, data: done });
  return values.map(({ display }) => ({ title: display.title ?? "", text: data.formattedValueToString(display) }));
}

function rows(one, all) {
  const columns = one.fields.filter((field) => !field.config.custom?.hidden);
  return Array.from({ length: one.length }, (_, row) =>
    Object.fromEntries(
      columns.map((field) => [
        data.getFieldDisplayName(field, one, all),
        data.formattedValueToString(field.display(field.values[row])),
      ]),
    ),
  );
}

async function main(option) {
  if (option === "--version") {
    const file = path.join(__dirname, "node_modules/@grafana/data/package.json");
    return `@grafana/data ${JSON.parse(fs.readFileSync(file, "utf-8")).version}`;
  }
  const given = JSON.parse(fs.readFileSync(0, "utf-8"));
  const found = {};
  for (const [name, one] of Object.entries(given)) found[name] = await shown(one);
  return JSON.stringify(found);
}

main(process.argv[2]).then((text) => process.stdout.write(`${text}\n`, () => process.exit(0)));
