//! Becomes PID 1 and hands over to the runner.

fn main() {}
