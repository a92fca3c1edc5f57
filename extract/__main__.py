"""Run ``python -m extract``."""

from extract.cli import main

raise SystemExit(main())
