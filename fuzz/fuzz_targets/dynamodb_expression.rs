//! An expression is a program that a client sends: read as any of its kinds and evaluated, it must neither panic nor
//! exhaust the stack, however it is nested.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidelock_doors::dynamodb::fuzz_expression;

fuzz_target!(|text: &str| fuzz_expression(text));
