"""Settings of Sphinx: `make docs`."""

from nas import __version__

project = "compact-nas"
author = "the authors of compact-nas"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "compact-nas"
exclude_patterns = ["_build"]
# Docstrings put code in single backticks, which is no role of reStructuredText.
default_role = "code"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
