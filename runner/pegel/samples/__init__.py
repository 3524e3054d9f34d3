"""Sample input: logs that are true in form and invented in content, for the demo, the tests and the benchmarks."""
