"""A package is used through its face: what its `__init__` names in `__all__`."""

import ast

from tests.house.source import imports, modules, tree

# Packages whose modules are each imported by their own name; their `__init__` only says what they
# are. The core's packages have a test of their own.
BY_MODULE = {
    f"entraide_scheduler.{name}"
    for name in ("control", "grid", "nats", "node_validation", "operations", "policy_versions",
                 "pool", "statement_pdf", "store", "supervision", "up")
}  # fmt: skip
CORE = "entraide_scheduler.core"
INSIDE = {name.rpartition(".")[0] for name, path in modules().items() if path.name != "__init__.py"}
PACKAGES = {
    name: path
    for name, path in modules().items()
    if path.name == "__init__.py"
    and name.split(".")[0] in ("entraide_scheduler", "entraide_sim")
    and "." in name
    and name in INSIDE
    and not f"{name}.".startswith(f"{CORE}.")
    and name.rpartition(".")[0] not in BY_MODULE
}
FACED = PACKAGES.keys() - BY_MODULE


def names_of(package: str) -> set[str]:
    """The names in `__all__` of a package; none if it has no such list."""
    for statement in tree(PACKAGES[package]).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                return set(ast.literal_eval(value))
    return set()


def inner_modules() -> dict[str, str]:
    """The modules inside packages that have a face, each with its package."""
    return {
        name: name.rpartition(".")[0]
        for name, path in modules().items()
        if name.rpartition(".")[0] in FACED and path.name != "__init__.py"
    }


INNER = inner_modules()


def past_faces(importer: str, imported: set[str]) -> list[str]:
    """The modules that an importer takes from inside a package of others.

    A face may offer a whole module, by its name in `__all__`.
    """
    return sorted(
        name
        for name in imported & INNER.keys()
        if not f"{importer}.".startswith(f"{INNER[name]}.")
        and name.rpartition(".")[2] not in names_of(INNER[name])
    )


def test_packages_are_used_through_their_faces() -> None:
    """No shipped module imports from inside a package of others what its face does not offer."""
    faults = {
        name: past
        for name, path in modules().items()
        if (past := past_faces(name, imports(name, path)))
    }

    assert {} == faults


def test_each_package_has_a_face() -> None:
    """A package of the scheduler, of its gateway or of the simulator names what others may use."""
    assert [] == sorted(name for name in FACED if not names_of(name))
    assert set() == BY_MODULE - PACKAGES.keys()


def test_an_import_past_a_face_is_noticed() -> None:
    """The check sees an import of an inner module, and lets modules of the package import it."""
    inner = "entraide_scheduler.gateway.jobs.running_jobs"

    assert [inner] == past_faces("entraide_scheduler.gateway.api.pool_api", {inner})
    assert [] == past_faces("entraide_scheduler.gateway.jobs.kept_jobs", {inner})


def test_a_package_says_what_it_is() -> None:
    """A face opens with what the package does, its input and output, and what each module holds."""
    faults = []
    for package in sorted(FACED):
        opening = ast.get_docstring(tree(PACKAGES[package])) or ""
        flowing = " ".join(opening.split())
        inside = {name.rpartition(".")[2] for name, of in INNER.items() if of == package}
        faults += [f"{package}: {word}" for word in ("Input: ", "Output: ") if word not in flowing]
        faults += [f"{package}: {name}" for name in sorted(inside) if f"``{name}``" not in opening]

    assert [] == faults
