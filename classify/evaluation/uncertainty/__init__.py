"""How sure each measure is: 95% intervals, of single samples and of groups of them."""
