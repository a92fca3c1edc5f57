"""How Sphinx builds the pages of this folder and the reference: `make docs`, without a network."""

from __future__ import annotations

import ast
import tomllib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]

project = "frozen-features"
version = release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

extensions = ["sphinx.ext.autodoc", "numpydoc", "myst_parser"]
exclude_patterns = ["**.ipynb"]
default_role = "code"
html_theme = "alabaster"
html_theme_options = {
    "description": "Frozen networks, cached embeddings, compared classifiers",
    "page_width": "64rem",
}
html_show_sphinx = html_show_copyright = False

autodoc_member_order = "groupwise"
autodoc_typehints = "none"  # the docstrings say more: shapes, units, defaults
numpydoc_show_class_members = False
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]


class ModuleMap(SphinxDirective):
    """List the modules of a package with the first line of each docstring; import none of them."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return a definition list: a term for each module, in the order of the folders."""
        lines = []
        for path in sorted((ROOT / self.arguments[0]).rglob("*.py")):
            docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            if path.stem != "__main__":
                parts = path.relative_to(ROOT).with_suffix("").parts
                name = ".".join(part for part in parts if part != "__init__")
                lines += [f"`{name}`", f": {docstring.partition(chr(10))[0]}", ""]
        return self.parse_text_to_nodes("\n".join(lines))


class PublicNames(SphinxDirective):
    """Document the public names of a package: functions, then classes, then exceptions."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return what autodoc makes of each name in the package's `__all__`."""
        package = import_module(self.arguments[0])
        kinds: dict[str, list[str]] = {"function": [], "class": [], "exception": []}
        for name in package.__all__:
            member = getattr(package, name)
            is_class = isinstance(member, type)
            is_error = is_class and issubclass(member, BaseException)
            kinds["exception" if is_error else "class" if is_class else "function"].append(name)
        lines = []
        for kind, names in kinds.items():
            for name in sorted(names, key=str.lower):
                lines.append(f".. auto{kind}:: {package.__name__}.{name}")
                lines += ["" if kind == "function" else "   :members:", ""]
        return self.parse_text_to_nodes("\n".join(lines))


def skip_metadata_routing(
    _app: Sphinx, _what: str, name: str, _object: Any, skip: bool, _options: Any
) -> bool | None:
    """Leave out the methods that scikit-learn writes into every estimator."""
    return True if name.startswith("set_") and name.endswith("_request") else skip or None


def setup(app: Sphinx) -> None:
    """Register what is defined above."""
    app.add_directive("module-map", ModuleMap)
    app.add_directive("public-names", PublicNames)
    app.connect("autodoc-skip-member", skip_metadata_routing)
