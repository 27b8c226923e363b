"""Writes the documentation of the compiled module into its type stubs, so that editors show it.

    python document.py           writes it
    python document.py --check   exit status 1 if the stubs lack something
"""

import ast
import pathlib
import sys

import sansocket._core

STUBS = pathlib.Path(__file__).resolve().parent / "python/sansocket/_core.pyi"


def document(node, thing):
    """Gives a class or a function of the stubs the documentation of the thing itself, and so for its members."""
    if ast.get_docstring(node) is not None:
        del node.body[0]
    text = (getattr(thing, "__doc__", None) or "").strip()
    if text and not is_setter(node):
        indent = " " * (node.col_offset + 4)
        lines = text.split("\n")
        joined = "\n".join([lines[0], *(f"{indent}{line}".rstrip() for line in lines[1:])])
        if len(lines) > 1:
            joined += f"\n{indent}"
        node.body.insert(0, ast.Expr(ast.Constant(joined)))
    if not node.body:
        node.body.append(ast.Expr(ast.Constant(...)))
    if isinstance(node, ast.ClassDef):
        for member in node.body:
            if isinstance(member, ast.FunctionDef) and not member.name.startswith("__"):
                document(member, getattr(thing, member.name))


def is_setter(node):
    return any(isinstance(mark, ast.Attribute) for mark in getattr(node, "decorator_list", []))


def main():
    written = STUBS.read_text()
    tree = ast.parse(written)
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            document(node, getattr(sansocket._core, node.name))
    documented = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
    if "--check" in sys.argv[1:]:
        if documented != written:
            sys.exit("the stubs are not as the module documents itself: python document.py")
        return
    STUBS.write_text(documented)


if __name__ == "__main__":
    main()
