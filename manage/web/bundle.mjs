// Bundles the page: bundle.mjs NODE_MODULES ENTRY OUTPUT.js; the styles go beside it.
//
// xterm.js is taken from its sources, which are in its package, too: in its own bundle, names of private members
// are kept as they are. Here they are shortened, which saves a sixth of it, and parts are left out.

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';

const [modules, entry, output] = process.argv.slice(2);
const { build } = createRequire(join(resolve(modules), 'none.js'))('esbuild');
const sources = join(resolve(modules), '@xterm', 'xterm', 'src');

// What the page never asks the terminal for, by the names of its sources: the mode for screen readers,
// decorations with their ruler, and links, which a guest should not put before its host's people.
const unused = {
  AccessibilityManager: 'export class AccessibilityManager {}',
  BufferDecorationRenderer: 'export class BufferDecorationRenderer { dispose() {} }',
  Linkifier: 'export class Linkifier { dispose() {} onShowLinkUnderline() { return this; } onHideLinkUnderline() { return this; } }',
  OscLinkProvider: 'export class OscLinkProvider {}',
  OverviewRulerRenderer: 'export class OverviewRulerRenderer {}',
};

const xterm = {
  name: 'xterm',
  setup({ onLoad, onResolve }) {
    // Enums that the sources use are in declaration files.
    const find = (path) => {
      const found = [`${path}.ts`, `${path}.d.ts`].find(existsSync);
      return found && { path: found, namespace: 'xterm' };
    };
    onResolve({ filter: /^@xterm\/xterm$/ }, () => find(join(sources, 'browser', 'public', 'Terminal')));
    onResolve({ filter: /^(browser|common)\//, namespace: 'xterm' }, ({ path }) => find(join(sources, path)));
    onResolve({ filter: /^\./, namespace: 'xterm' }, ({ path, importer }) => find(join(dirname(importer), path)));
    onLoad({ filter: /./, namespace: 'xterm' }, ({ path }) => ({
      contents: unused[basename(path, '.ts')] || readFileSync(path, 'utf8').replaceAll('declare const enum', 'const enum'),
      loader: 'ts',
    }));
  },
};

await build({
  entryPoints: [entry],
  outfile: output,
  nodePaths: [modules],
  plugins: [xterm],
  bundle: true,
  minify: true,
  mangleProps: /^_[a-zA-Z]/,
  charset: 'utf8',
  target: 'es2021',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  tsconfigRaw: { compilerOptions: { experimentalDecorators: true, useDefineForClassFields: false } },
  legalComments: 'none',
  banner: { js: '/*! With preact, (c) Jason Miller, and xterm.js, (c) its authors: MIT License */' },
  logLevel: 'warning',
});
