"""YAML -> schema -> Experiment, each fault with file, line and column.

Importing this loads neither yaml nor jsonschema: they are imported where they are used.
"""

from tunekit.spec.dump import to_yaml
from tunekit.spec.fit import check_provider
from tunekit.spec.load import Loaded, load_experiments
from tunekit.spec.project import Profile, Project, check_profile, load_project
from tunekit.spec.recorded import from_document
from tunekit.spec.schema import schema_text

__all__ = [
    "Loaded",
    "Profile",
    "Project",
    "check_profile",
    "check_provider",
    "from_document",
    "load_experiments",
    "load_project",
    "schema_text",
    "to_yaml",
]
