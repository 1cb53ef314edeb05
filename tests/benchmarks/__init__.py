"""The benchmarks measure what they say: their parts alone, and one tiny run of everything against real servers."""
