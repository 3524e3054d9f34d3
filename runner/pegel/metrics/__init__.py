"""The metric language: what is counted, per window and label set.

`fold(table) -> partials`, `merge(a, b)` and `close` are the whole algebra; the turn, `preview` and the tests use
the same three. The state keeps what they make and knows nothing of expressions.
"""
