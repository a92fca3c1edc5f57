"""Run ``python -m classify``."""

from classify.cli import main

raise SystemExit(main())
