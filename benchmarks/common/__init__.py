"""What the benchmarks share: photographs and drawn images, published figures, and their table."""
