"""Run ``python -m cache``."""

from cache.cli import main

raise SystemExit(main())
