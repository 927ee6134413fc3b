//! Configurations as people write them, right and wrong.

/// A configuration.
#[derive(Debug)]
pub(super) struct Body {
    /// Its name in the table.
    pub(super) name: &'static str,
    /// Whether the package has `@rollup/plugin-terser` 1, which needs Node 20.
    pub(super) new_plugin: bool,
    /// The file.
    pub(super) text: &'static str,
}

const fn body(name: &'static str, new_plugin: bool, text: &'static str) -> Body {
    Body { name, new_plugin, text }
}

pub(super) static BODIES: [Body; 27] = [
    body(
        "esm-plain",
        false,
        r#"export default { input: 'src/index.js', output: { file: 'dist/out.js' }, plugins: [] };
"#,
    ),
    body(
        "cjs-plain",
        false,
        r#"module.exports = { input: 'src/index.js', output: { file: 'dist/out.js' }, plugins: [] };
"#,
    ),
    body(
        "esm-default",
        false,
        r#"import terser from '@rollup/plugin-terser';
export default { input: 'src/index.js', output: { file: 'dist/out.js' }, plugins: [terser()] };
"#,
    ),
    body(
        "esm-named",
        false,
        r#"import { terser } from '@rollup/plugin-terser';
export default { input: 'src/index.js', output: { file: 'dist/out.js' }, plugins: [terser()] };
"#,
    ),
    body(
        "esm-default-as",
        false,
        r#"import { default as terser } from '@rollup/plugin-terser';
export default { input: 'src/index.js', output: { file: 'dist/out.js' }, plugins: [terser()] };
"#,
    ),
    body(
        "esm-namespace",
        false,
        r#"import * as terser from '@rollup/plugin-terser';
export default { input: 'src/index.js', output: { file: 'dist/out.js' }, plugins: [terser()] };
"#,
    ),
    body(
        "old-esm-named",
        false,
        r#"import { terser } from 'rollup-plugin-terser';
export default { input: 'src/index.js', output: { file: 'dist/out.js' }, plugins: [terser()] };
"#,
    ),
    body(
        "old-esm-default",
        false,
        r#"import terser from 'rollup-plugin-terser';
export default { input: 'src/index.js', output: { file: 'dist/out.js' }, plugins: [terser()] };
"#,
    ),
    body(
        "cjs-require",
        false,
        r#"const terser = require('@rollup/plugin-terser');
module.exports = { input: 'src/index.js', output: { file: 'dist/out.js' }, plugins: [terser()] };
"#,
    ),
    body(
        "cjs-destructure",
        false,
        r#"const { terser } = require('@rollup/plugin-terser');
module.exports = { input: 'src/index.js', output: { file: 'dist/out.js' }, plugins: [terser()] };
"#,
    ),
    body(
        "cjs-property",
        false,
        r#"const terser = require('@rollup/plugin-terser').terser;
module.exports = { input: 'src/index.js', output: { file: 'dist/out.js' }, plugins: [terser()] };
"#,
    ),
    body(
        "old-cjs-destructure",
        false,
        r#"const { terser } = require('rollup-plugin-terser');
module.exports = { input: 'src/index.js', output: { file: 'dist/out.js' }, plugins: [terser()] };
"#,
    ),
    body(
        "old-cjs-require",
        false,
        r#"const terser = require('rollup-plugin-terser');
module.exports = { input: 'src/index.js', output: { file: 'dist/out.js' }, plugins: [terser()] };
"#,
    ),
    body(
        "mixed-require",
        false,
        r#"import terser from '@rollup/plugin-terser';
const path = require('path');
export default { input: 'src/index.js', output: { file: 'dist/out.js' }, plugins: [terser({ output: { comments: path.sep === '?' } })] };
"#,
    ),
    body(
        "esm-dirname",
        false,
        r#"import path from 'path';
const out = path.join(__dirname, 'dist/out.js');
export default { input: 'src/index.js', output: { file: out } };
"#,
    ),
    body(
        "import-exports",
        false,
        r#"import terser from '@rollup/plugin-terser';
module.exports = { input: 'src/index.js', output: { file: 'dist/out.js' }, plugins: [terser()] };
"#,
    ),
    body(
        "esm-create-require",
        false,
        r#"import { createRequire } from 'module';
const require = createRequire(import.meta.url);
const pkg = require('./package.json');
export default { input: 'src/index.js', output: { file: 'dist/out.js', banner: '/* ' + pkg.name + ' */' } };
"#,
    ),
    body(
        "esm-own-dirname",
        false,
        r#"import path from 'path';
import { fileURLToPath } from 'url';
const __dirname = path.dirname(fileURLToPath(import.meta.url));
export default { input: 'src/index.js', output: { file: path.join(__dirname, 'dist/out.js') } };
"#,
    ),
    body(
        "json-bare",
        false,
        r#"import pkg from './package.json';
export default { input: 'src/index.js', output: { file: 'dist/out.js', banner: '/* ' + pkg.name + ' */' } };
"#,
    ),
    body(
        "json-with",
        false,
        r#"import pkg from './package.json' with { type: 'json' };
export default { input: 'src/index.js', output: { file: 'dist/out.js', banner: '/* ' + pkg.name + ' */' } };
"#,
    ),
    body(
        "json-assert",
        false,
        r#"import pkg from './package.json' assert { type: 'json' };
export default { input: 'src/index.js', output: { file: 'dist/out.js', banner: '/* ' + pkg.name + ' */' } };
"#,
    ),
    body(
        "cjs-json",
        false,
        r#"const pkg = require('./package.json');
module.exports = { input: 'src/index.js', output: { file: 'dist/out.js', banner: '/* ' + pkg.name + ' */' } };
"#,
    ),
    body(
        "esm-await",
        false,
        r#"const { sep } = await import('path');
export default { input: 'src/index.js', output: { file: 'dist/out.js', banner: '/* ' + sep + ' */' } };
"#,
    ),
    body(
        "esm-import-meta",
        false,
        r#"const here = import.meta.url;
export default { input: 'src/index.js', output: { file: 'dist/out.js', banner: '/* ' + here.length + ' */' } };
"#,
    ),
    body(
        "cjs-exports-default",
        false,
        r#"exports.default = { input: 'src/index.js', output: { file: 'dist/out.js' } };
"#,
    ),
    body(
        "new-esm-default",
        true,
        r#"import terser from '@rollup/plugin-terser';
export default { input: 'src/index.js', output: { file: 'dist/out.js' }, plugins: [terser()] };
"#,
    ),
    body(
        "new-cjs-require",
        true,
        r#"const terser = require('@rollup/plugin-terser');
module.exports = { input: 'src/index.js', output: { file: 'dist/out.js' }, plugins: [terser()] };
"#,
    ),
];
