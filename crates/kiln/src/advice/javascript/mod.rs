//! JavaScript files as far as loading them goes: imports, exports, and the names that only CommonJS has.
//!
//! A tokenizer of our own: a whole parser would double the size of the binary that goes into image builds, and nothing here needs to
//! understand expressions.

mod lexer;
mod module;

pub(crate) use module::{Attributes, Binding, CommonJsName, Import, Module, Require};
